//! Attacks: the host's devices. mknod(2), chmod(2).

use std::fs;

use nix::unistd::geteuid;

use crate::ground::Ground;
use crate::need_namespaces;
use crate::pair::{UNPROTECTED, now, pair};
use crate::support::{Seen, host, leave_to, shell};

/// The zero device stands for a disk.
fn make_and_read(directory: &str) -> String {
    format!(
        "cd {directory}; rm -f node; mknod node c 1 5 && echo made && head -c 1 node >/dev/null && echo read"
    )
}

#[test]
fn a_device_that_it_makes_cannot_be_opened() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root: nobody can create devices in a user namespace");
    }
    let ground = Ground::new();
    let line = ground.line("sh -c");
    for directory in ["/root", "/dev"] {
        let attack = make_and_read(directory);
        let Some([before, _]) = pair("day09-bridge", &line, &attack) else {
            return;
        };
        assert_eq!(before.stdout, "made\nread\n", "{}", before.stderr);
    }
    let volume = ground.place("volume");
    for (options, directory) in [
        (String::new(), "/root"),
        (String::new(), "/dev"),
        (String::new(), "/dev/shm"),
        ("--tmpfs /tmp".to_owned(), "/tmp"),
        (format!("-v {}:/volume", volume.display()), "/volume"),
    ] {
        // Not for want of a capability, or because of the filter.
        for more in ["", UNPROTECTED] {
            let options = format!("{options} {more}");
            let seen = now(&options, &line, &make_and_read(directory));
            assert_eq!(
                seen.stdout, "made\n",
                "{options} {directory}: {}",
                seen.stderr
            );
            assert!(
                seen.stderr.contains("Permission denied"),
                "{directory}: {}",
                seen.stderr
            );
        }
    }
}

/// Nor one that the root filesystem comes with.
#[test]
fn a_device_in_the_root_filesystem_cannot_be_opened() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root: nobody else can create devices");
    }
    let ground = Ground::new();
    let node = ground.rootfs().join("root/node");
    host(&format!("mknod {} c 1 5", node.display()));
    let line = ground.line("sh -c");
    let attack = "head -c 1 /root/node >/dev/null && echo read";
    let Some([before, today]) = pair("day09-bridge", &line, attack) else {
        return;
    };
    assert_eq!(before.stdout, "read\n");
    assert_eq!(today.stdout, "");
    assert!(
        today.stderr.contains("Permission denied"),
        "{}",
        today.stderr
    );
}

/// Where there is no overlayfs, the root is a copy, and no less nodev.
#[test]
fn a_device_that_it_makes_in_a_copy_cannot_be_opened() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root: nobody can create devices in a user namespace");
    }
    let ground = Ground::new();
    let (rootfs, place) = (ground.rootfs(), ground.place("overlay"));
    fs::create_dir(&place).unwrap();
    // A state directory in an overlay: on such a filesystem there cannot be another one.
    let Seen { stdout, stderr, .. } = shell(&format!(
        "unshare --mount sh -c 'mount -t tmpfs none {0} && cd {0} && mkdir lower upper work merged &&
        mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged &&
        TINY_DOCKER_ROOT={0}/merged $TD run --net isolated --rootfs {1} sh -c \"{2}\"'",
        place.display(),
        rootfs.display(),
        make_and_read("/root")
    ));
    assert!(stderr.contains("copying the root filesystem"), "{stderr}");
    assert_eq!(stdout, "made\n", "{stderr}");
    assert!(stderr.contains("Permission denied"), "{stderr}");
}

/// It is the same node. (The mode is the one that it has: 666.)
#[test]
fn the_hosts_device_keeps_its_mode() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root: other users may not change its mode anyway");
    }
    let ground = Ground::new();
    // By its name, and by a descriptor that comes from the host.
    let attack =
        r#"for (["/dev/null"], [\*STDIN]) { print chmod(0666, @$_) ? "changed\n" : "$!\n" }"#;
    let line = ground.line("perl -e");
    let Some([before, today]) = pair("day09-bridge", &line, attack) else {
        return;
    };
    assert_eq!(before.stdout, "changed\nchanged\n");
    assert_eq!(
        today.stdout,
        "Read-only file system\nRead-only file system\n"
    );
    let all = now(UNPROTECTED, &line, attack);
    assert_eq!(all.stdout, today.stdout);
}
