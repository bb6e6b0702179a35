//! Containers that are unlike most: without mounts of their own, or with one at their root.

use std::fs;

use serde_json::json;

use crate::oci::container::{Container, need_root};

/// Without a mount namespace, a root directory is all that it has, for `exec` as well.
#[test]
fn exec_finds_the_root_of_a_container_without_mounts() {
    need_root!();
    let mut container = Container::new();
    container.spec["mounts"] = json!([]);
    for field in ["maskedPaths", "readonlyPaths"] {
        container.spec["linux"][field] = json!([]);
    }
    let namespaces = container.spec["linux"]["namespaces"]
        .as_array_mut()
        .unwrap();
    namespaces.retain(|namespace| namespace["type"] != "mount");
    fs::write(container.ground.rootfs().join("mine"), "mine\n").unwrap();
    container.start("cd /");
    for options in [&[][..], &["--cwd", "/etc"]] {
        let seen = container.exec(options, &["sh", "-c", "cat /mine; cd /..; ls mine"]);
        assert_eq!(seen.stdout, "mine\nmine\n", "{}", seen.stderr);
    }
}

/// A read-only root takes places for other mounts before it is.
#[test]
fn a_read_only_mount_at_the_root_is_filled_first() {
    need_root!();
    let mut container = Container::new();
    let rootfs = container.ground.rootfs();
    for name in ["proc", "sys", "dev"] {
        container.ground.remove(name);
    }
    let root = json!({
        "destination": "/", "type": "bind", "source": rootfs, "options": ["bind", "ro"],
    });
    container.spec["mounts"]
        .as_array_mut()
        .unwrap()
        .insert(0, root);
    let seen = container.run("ls -d /proc/self; touch /new");
    assert_eq!(seen.stdout, "/proc/self\n", "{}", seen.stderr);
    assert!(
        seen.stderr.contains("Read-only file system"),
        "{}",
        seen.stderr
    );
}
