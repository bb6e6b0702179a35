//! Ids, capabilities, limits, and what a command can gain.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use serde_json::json;

use crate::oci::container::{Container, need_root};

const SETS: &str = "grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2";

/// Bits of capabilities(7), as the kernel shows a set.
const NONE: &str = "0000000000000000\n";
const KILL: &str = "0000000000000020\n";

#[test]
fn the_command_has_the_ids_and_the_umask_of_the_configuration() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["user"] =
        json!({"uid": 1000, "gid": 100, "additionalGids": [7, 5], "umask": 0o077});
    let seen = container.run(
        "grep -E '^(Uid|Gid|Groups|Umask)' /proc/self/status; echo $HOME; echo 'it is seen' >/dev/stdout",
    );
    let expected = "Umask:\t0077\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\n\
        Groups:\t5 7 \n/\nit is seen\n";
    assert_eq!(seen.stdout, expected, "{}", seen.stderr);
}

#[test]
fn a_command_has_the_capabilities_that_are_granted_and_no_others() {
    need_root!();
    let mut container = Container::new();
    let kill = json!(["CAP_KILL"]);
    let three = json!({"bounding": kill, "effective": kill, "permitted": kill});
    container.spec["process"]["capabilities"] = three;
    let root = [NONE, KILL, KILL, KILL, NONE].concat();
    assert_eq!(container.run(SETS).stdout, root);
    // What another user has is gone with exec, unless it is ambient.
    container.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let user = [NONE, NONE, NONE, KILL, NONE].concat();
    assert_eq!(container.run(SETS).stdout, user);
    container.spec["process"]["capabilities"]["ambient"] = kill.clone();
    let seen = container.run(SETS);
    assert_eq!(seen.stdout, user);
    let warning = "tiny-runc: warning: can't raise ambient capability CAP_KILL: not inheritable\n";
    assert_eq!(seen.stderr, warning);
    container.spec["process"]["capabilities"]["inheritable"] = kill;
    assert_eq!(container.run(SETS).stdout, KILL.repeat(5));
    container.spec["process"]["user"] = json!({"uid": 0, "gid": 0});
    for nothing in [json!(null), json!({})] {
        container.spec["process"]["capabilities"] = nothing;
        assert_eq!(container.run(SETS).stdout, NONE.repeat(5));
    }
}

#[test]
fn without_new_privileges_exec_gives_none() {
    need_root!();
    let mut container = Container::new();
    let program = container.ground.rootfs().join("as-root");
    fs::copy("/usr/bin/id", &program).unwrap();
    fs::set_permissions(program, Permissions::from_mode(0o4755)).unwrap();
    container.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    for (not_new, user) in [(true, "1000\n"), (false, "0\n")] {
        container.spec["process"]["noNewPrivileges"] = not_new.into();
        let seen = container.run("/as-root -u");
        assert_eq!(seen.stdout, user, "{}", seen.stderr);
    }
    // For root, any program is such a program.
    container.spec["process"]["user"] = json!({"uid": 0, "gid": 0});
    container.spec["process"]["capabilities"] = json!({"bounding": ["CAP_KILL"]});
    for (not_new, permitted) in [(true, NONE), (false, KILL)] {
        container.spec["process"]["noNewPrivileges"] = not_new.into();
        let seen = container.run("grep CapPrm /proc/self/status | cut -f2");
        assert_eq!(seen.stdout, permitted, "{}", seen.stderr);
    }
}

#[test]
fn limits_are_those_of_the_configuration() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    container.spec["process"]["oomScoreAdj"] = 500.into();
    container.spec["process"]["rlimits"] = json!([
        {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 512},
    ]);
    let seen = container.run(
        "ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hc; cat /proc/self/oom_score_adj; ulimit -Hc 2",
    );
    let expected = "10\n20\n0\n1\n500\n";
    assert_eq!(seen.stdout, expected, "{}", seen.stderr);
    assert!(seen.stderr.contains("not permitted"), "{}", seen.stderr);
}

/// Root may enter what its user may not. Where nobody else lets root in, the user does.
#[test]
fn the_working_directory_may_be_closed_to_the_user() {
    need_root!();
    let mut container = Container::new();
    let directory = container.ground.rootfs().join("closed");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    container.spec["process"]["cwd"] = "/closed".into();
    container.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    for owner in [0, 1000] {
        chown(&directory, Some(owner), None).unwrap();
        let seen = container.run("pwd");
        assert_eq!(seen.stdout, "/closed\n", "{}", seen.stderr);
    }
}

#[test]
fn masks_stay() {
    need_root!();
    let mut container = Container::new();
    let seen = container.run(
        "umount /proc/sys; mount -o remount,bind,rw /proc/sys; mknod /node c 1 5; \
         : >>/proc/sys/kernel/core_pattern",
    );
    assert_ne!(seen.code, Some(0));
    assert!(
        seen.stderr.contains("Read-only file system"),
        "{}",
        seen.stderr
    );
    assert!(!container.ground.rootfs().join("node").exists());
}

#[test]
fn what_is_wrong_with_a_process_is_said_by_name() {
    need_root!();
    let mut container = Container::new();
    let whole = container.spec["process"].clone();
    let limit = json!({"type": "RLIMIT_CORE", "soft": 0, "hard": 0});
    for (field, value, problem) in [
        (
            "user",
            json!({"uid": u32::MAX, "gid": 0}),
            "process.user.uid: there is no id 4294967295",
        ),
        (
            "user",
            json!({"uid": 0, "gid": 0, "umask": 1000}),
            "process.user.umask: 1000 is more than 511 (octal 777)",
        ),
        (
            "rlimits",
            json!([limit, limit]),
            "process.rlimits: RLIMIT_CORE is there twice",
        ),
        (
            "apparmorProfile",
            json!("none-such"),
            "process.apparmorProfile: cannot use \"none-such\"",
        ),
    ] {
        container.spec["process"] = whole.clone();
        container.spec["process"][field] = value;
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1), "{field}");
        assert!(seen.stderr.contains(problem), "{}", seen.stderr);
    }
    container.spec["process"] = whole;
    container.grant("CAP_FROM_THE_FUTURE");
    let seen = container.run("true");
    let known = "capability \"CAP_FROM_THE_FUTURE\" is not known here\n";
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(seen.stderr.contains(known), "{}", seen.stderr);
}
