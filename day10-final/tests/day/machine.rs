//! Attacks on the machine itself. Where they work, they may change it: so they are left to a virtual one.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::need_namespaces;
use crate::pair::{PERL, now, pair, perl};
use crate::support::{host, leave_to, wait_until};
use crate::users::with_users;

const REFUSED: &str = "Operation not permitted\n";
const UNCONFINED: &str = "--security-opt seccomp=unconfined";

/// Returns from a test, aloud, where the machine must not come to harm, and for users who cannot do it any.
macro_rules! need_a_machine_to_lose {
    () => {
        need_namespaces!();
        if !env::var_os("TINY_DOCKER_VM").is_some_and(|vm| vm == "1") {
            return leave_to("the virtual machine");
        }
        if !geteuid().is_root() {
            return leave_to("root");
        }
    };
}

#[test]
fn the_kernel_can_neither_be_changed_nor_replaced() {
    need_a_machine_to_lose!();
    // None of these would do anything. What they say to who might have done it tells that it is not about permission.
    for (call, arguments, before) in [
        (
            libc::SYS_init_module,
            r#"$m = "", 0, $p = """#,
            "Exec format error\n",
        ),
        (
            libc::SYS_finit_module,
            r#"-1, $p = "", 0"#,
            "Bad file descriptor\n",
        ),
        (
            libc::SYS_delete_module,
            r#"$m = "no-such-module", 0"#,
            "No such file or directory\n",
        ),
        (libc::SYS_kexec_load, "0, 17, 0, 0", "Invalid argument\n"),
        (libc::SYS_reboot, "0, 0, 0, 0", "Invalid argument\n"),
        (
            libc::SYS_swapon,
            r#"$f = "/no-such-file", 0"#,
            "No such file or directory\n",
        ),
        (
            libc::SYS_acct,
            r#"$f = "/no-such-file""#,
            "No such file or directory\n",
        ),
    ] {
        let attack = format!(r#"syscall({call}, {arguments}) < 0 and print "$!\n""#);
        let Some([seen, today]) = perl("day09-bridge", &attack) else {
            return;
        };
        assert_eq!(seen.stdout, before, "{attack}");
        assert_eq!(today.stdout, REFUSED, "{attack}");
        // Without the filter, the capabilities that it lacks are enough.
        assert_eq!(now(UNCONFINED, PERL, &attack).stdout, REFUSED, "{attack}");
    }
}

#[test]
fn no_key_of_sysrq_can_be_pressed() {
    need_a_machine_to_lose!();
    // 'h' prints a help to the kernel's log. 'b' would reboot.
    let line = "$RUN sh -c 'echo h >/proc/sysrq-trigger'";
    let Some([before, today]) = pair("day09-bridge", line, "") else {
        return;
    };
    assert_eq!((before.code, before.stderr.as_str()), (Some(0), ""));
    assert!(
        today.stderr.contains("Read-only file system"),
        "{}",
        today.stderr
    );
    // Nor if the filter and the capabilities are out of the way, without another mount.
    let seen = now(
        &format!("--cap-add ALL --cap-drop SYS_ADMIN {UNCONFINED}"),
        line,
        "",
    );
    assert!(
        seen.stderr.contains("Read-only file system"),
        "{}",
        seen.stderr
    );
}

#[test]
fn no_release_agent_runs_on_the_host() {
    need_a_machine_to_lose!();
    // When the last process leaves a group of version 1, the kernel runs a program: the host's root does, outside.
    let (_directory, rootfs) = with_users("", "");
    let (agent, proof) = (rootfs.join("tmp/agent"), rootfs.join("tmp/proof"));
    fs::write(
        &agent,
        format!("#!/bin/sh\nhostname >{}\n", proof.display()),
    )
    .unwrap();
    fs::set_permissions(&agent, Permissions::from_mode(0o755)).unwrap();
    let attack = format!(
        "mkdir -p /tmp/group
        mount -t cgroup -o none,name=attack group /tmp/group || exit
        echo {} >/tmp/group/release_agent
        mkdir /tmp/group/last
        echo 1 >/tmp/group/last/notify_on_release
        sh -c 'echo $$ >/tmp/group/last/cgroup.procs'",
        agent.display()
    );
    let line = format!(r#"$RUN --rootfs {} sh -c "$ATTACK""#, rootfs.display());
    let today = [
        now("", &line, &attack),
        now(UNCONFINED, &line, &attack),
        // With this capability and no AppArmor profile, much of the machine is open: see below. But a new hierarchy
        // can only be had in the host's cgroup namespace, and those that the host has show no release_agent in another.
        now("--cap-add SYS_ADMIN", &line, &attack),
    ];
    for seen in today {
        assert!(
            seen.stderr.contains("ermission denied") || seen.stderr.contains("not permitted"),
            "{}",
            seen.stderr
        );
    }
    sleep(Duration::from_millis(500));
    assert!(!proof.exists());

    let before = pair("day09-bridge", &line, &attack);
    if before.is_none() {
        return;
    }
    wait_until("the agent run", || {
        fs::read_to_string(&proof).is_ok_and(|name| name == host("hostname"))
    });
}

#[test]
fn with_sys_admin_the_machine_is_open_as_in_docker_without_apparmor() {
    need_a_machine_to_lose!();
    // Whoever may mount has another /proc, with nothing covered and nothing read-only. Opened, and not written.
    let line = r#"$RUN sh -c 'mkdir /tmp/proc; mount -t proc proc /tmp/proc; : >>/tmp/proc/sys/kernel/core_pattern'"#;
    assert_ne!(now("", line, "").stderr, "");
    let seen = now("--cap-add SYS_ADMIN", line, "");
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}
