//! Device nodes, sysctls, masks, and what is read-only.

use std::fs;

use serde_json::json;

use crate::oci::container::{Container, need_root};

#[test]
fn the_nodes_that_every_program_expects_are_there() {
    need_root!();
    let mut container = Container::new();
    let seen = container.run(
        "echo gone >/dev/null; cat /dev/null; head -c 2 /dev/zero | wc -c; head -c 1 /dev/zero >/dev/full; \
         cd /dev; stat -c '%n %F %t:%T %a' full null random tty urandom zero; readlink fd stderr ptmx",
    );
    let expected = "2\n\
        full character special file 1:7 666\n\
        null character special file 1:3 666\n\
        random character special file 1:8 666\n\
        tty character special file 5:0 666\n\
        urandom character special file 1:9 666\n\
        zero character special file 1:5 666\n\
        /proc/self/fd\n/proc/self/fd/2\npts/ptmx\n";
    assert_eq!(seen.stdout, expected, "{}", seen.stderr);
    assert!(seen.stderr.contains("No space left"), "{}", seen.stderr);
}

#[test]
fn a_device_has_the_mode_and_owner_of_the_configuration() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["devices"] = json!([
        {"path": "/dev/of/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o444},
    ]);
    let seen = container.run("cd /dev; stat -c '%n %F %a %u:%g' of/mine pipe null");
    let expected = "of/mine character special file 640 7:8\npipe fifo 600 0:0\n\
        null character special file 444 0:0\n";
    assert_eq!(seen.stdout, expected, "{}", seen.stderr);
}

/// The directory may be shared with somebody else, who has been faster.
#[test]
fn something_else_at_the_path_of_a_device_is_an_error() {
    need_root!();
    let mut container = Container::new();
    container.ground.link("zero", "/etc/passwd");
    fs::write(container.ground.rootfs().join("file"), "").unwrap();
    for path in ["/zero", "/file"] {
        container.spec["linux"]["devices"] =
            json!([{"path": path, "type": "c", "major": 1, "minor": 5}]);
        let seen = container.run("true");
        let expected = format!(
            "tiny-runc: linux.devices: cannot create {path}: there is something else at this path\n"
        );
        assert_eq!((seen.code, seen.stderr), (Some(1), expected));
    }
}

/// It is the host's: nodes would appear there.
#[test]
fn a_dev_of_the_host_stays_as_it_is() {
    need_root!();
    let mut container = Container::new();
    container.without_mount("/dev");
    let dev = container.ground.place("dev");
    fs::create_dir(&dev).unwrap();
    container.add_mount(json!({
        "destination": "/dev", "type": "bind", "source": dev, "options": ["bind"],
    }));
    let seen = container.run("ls /dev");
    assert_eq!(seen.stdout, "", "{}", seen.stderr);
    assert_eq!(fs::read_dir(dev).unwrap().count(), 0);
}

#[test]
fn a_setting_of_the_container_is_set_and_one_of_the_host_refused() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "99"});
    let seen = container.run("cat /proc/sys/net/ipv4/ip_default_ttl");
    assert_eq!(seen.stdout, "99\n", "{}", seen.stderr);
    container.spec["linux"]["sysctl"] = json!({"kernel.panic": "5"});
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    let expected = "linux.sysctl: kernel.panic is not separate from the host's\n";
    assert!(seen.stderr.ends_with(expected), "{}", seen.stderr);
    // Without a network of its own, the container would change the host's.
    container.spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "99"});
    let namespaces = container.spec["linux"]["namespaces"].as_array_mut();
    namespaces
        .unwrap()
        .retain(|namespace| namespace["type"] != "network");
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    let expected = "net.ipv4.ip_default_ttl needs a network namespace\n";
    assert!(seen.stderr.ends_with(expected), "{}", seen.stderr);
}

#[test]
fn a_mask_covers_files_and_directories_and_nothing_that_is_not_there() {
    need_root!();
    let mut container = Container::new();
    let rootfs = container.ground.rootfs();
    fs::create_dir(rootfs.join("directory")).unwrap();
    for name in ["file", "directory/file", "kept"] {
        fs::write(rootfs.join(name), "secret\n").unwrap();
    }
    container.ground.link("link", "file");
    container.spec["linux"]["maskedPaths"] =
        json!(["/link", "/directory", "/none", "/kept/none", "/file"]);
    container.spec["linux"]["readonlyPaths"] = json!(["/kept", "/none"]);
    let seen = container.run(
        "cat /file /link; ls /directory; cat /kept; ls -d /none; \
         echo >>/kept; touch /directory/new; touch /new && echo new",
    );
    assert_eq!(seen.stdout, "secret\nnew\n", "{}", seen.stderr);
    let errors = seen.stderr.matches("Read-only file system").count();
    assert_eq!(errors, 2, "{}", seen.stderr);
    assert_eq!(fs::read_to_string(rootfs.join("file")).unwrap(), "secret\n");
}

/// What is read-only becomes so when the container is complete.
#[test]
fn a_read_only_root_and_dev_are_filled_before() {
    need_root!();
    let mut container = Container::new();
    container.spec["root"]["readonly"] = true.into();
    container.spec["process"]["cwd"] = "/made/for/it".into();
    for mount in container.spec["mounts"].as_array_mut().unwrap() {
        if mount["destination"] == "/dev" {
            mount["options"].as_array_mut().unwrap().push("ro".into());
        }
    }
    let seen = container.run(
        "pwd; test -c /dev/zero && echo zero; touch /new; touch /dev/new; touch /dev/shm/new && echo shm",
    );
    assert_eq!(seen.stdout, "/made/for/it\nzero\nshm\n", "{}", seen.stderr);
    let errors = seen.stderr.matches("Read-only file system").count();
    assert_eq!(errors, 2, "{}", seen.stderr);
}
