//! What the container sees, and what the host does not notice.

pub mod own_binary;

use std::fs;

use insta::assert_snapshot;
use nix::unistd::gethostname;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{see, shell};

#[test]
fn the_container_has_a_hostname_of_its_own() {
    need_namespaces!();
    let before = gethostname().unwrap();
    assert_eq!(see(&["run", "hostname"]).stdout, "tiny-container\n");
    let longest = "h".repeat(64);
    for name in ["web", "web-1.example.org", &longest] {
        let seen = see(&["run", "--hostname", name, "hostname"]);
        assert_eq!(seen.stdout, format!("{name}\n"));
    }
    assert_eq!(gethostname().unwrap(), before);
}

#[test]
fn a_hostname_that_cannot_be_exits_125() {
    let too_long = "h".repeat(65);
    let mut messages = String::new();
    for name in [too_long.as_str(), "two words", "a/b"] {
        let seen = see(&["run", "--hostname", name, "true"]);
        assert_eq!(seen.code, Some(125));
        messages += seen.stderr.lines().next().unwrap();
        messages += "\n";
    }
    assert_snapshot!(messages, @"
    error: invalid value 'hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh' for '--hostname <NAME>': it has 65 characters; the limit is 64
    error: invalid value 'two words' for '--hostname <NAME>': only letters, digits, '-', '.' and '_' are allowed
    error: invalid value 'a/b' for '--hostname <NAME>': only letters, digits, '-', '.' and '_' are allowed
    ");
}

#[test]
fn the_command_is_pid_1() {
    need_namespaces!();
    assert_eq!(see(&["run", "sh", "-c", "echo $$"]).stdout, "1\n");
}

#[test]
fn the_user_is_root_in_the_container() {
    need_namespaces!();
    assert_eq!(see(&["run", "id", "-u"]).stdout, "0\n");
    assert_eq!(see(&["run", "id", "-g"]).stdout, "0\n");
}

#[test]
fn each_container_has_namespaces_of_its_own() {
    need_namespaces!();
    let namespace = |name: &str| {
        let link = format!("/proc/self/ns/{name}");
        let inside = see(&["run", "readlink", &link]).stdout;
        let outside = fs::read_link(&link).unwrap();
        (inside.trim().to_owned(), outside.display().to_string())
    };
    for name in ["uts", "pid", "mnt"] {
        let (inside, outside) = namespace(name);
        assert!(inside.starts_with(name), "{inside}");
        assert_ne!(inside, outside);
    }
}

#[test]
fn a_mount_inside_is_not_seen_outside() {
    need_namespaces!();
    let directory = TempDir::new().unwrap();
    let path = directory.path().display();
    // As on most hosts, but not on all: mounts that are shared with every new namespace.
    let seen = shell(&format!(
        "unshare --user --map-root-user --mount --propagation shared sh -c '
            mount -t tmpfs test {path}; umount {path}
            $TD run --net isolated -v {path}:{path} --cap-add SYS_ADMIN sh -c \"mount -t tmpfs test {path} && grep -c test.{path} /proc/self/mounts\"
            grep -c {path} /proc/self/mounts'"
    ));
    assert_eq!(seen.stdout, "1\n0\n", "{}", seen.stderr);
}

#[test]
fn where_user_namespaces_are_off_the_error_says_how_to_switch_them_on() {
    need_namespaces!();
    // One is allowed here, and unshare takes it. (The limit belongs to this test's own user namespace.)
    let seen = shell(
        "unshare --user --map-root-user sh -c '
            echo 1 >/proc/sys/user/max_user_namespaces
            unshare --user --map-user=1000 --map-group=1000 $TD run true'",
    );
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot create namespaces: ENOSPC: No space left on device
    hint: sudo sysctl -w user.max_user_namespaces=15000
    ");
}

#[test]
fn inside_a_container_the_error_names_the_least_that_helps() {
    need_namespaces!();
    // Root without CAP_SYS_ADMIN, as in most containers.
    let seen =
        shell("unshare --user --map-root-user setpriv --bounding-set=-sys_admin $TD run true");
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot create namespaces: EPERM: Operation not permitted
    hint: if this is a container, start it with -u 1000 --security-opt seccomp=unconfined --security-opt apparmor=unconfined
    ");
}
