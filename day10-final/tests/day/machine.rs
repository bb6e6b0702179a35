//! Attacks on the machine itself. If one works, it may change the machine, so they run only in a virtual one.

use std::env;
use std::fs::{self};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::pair::{PERL, now, pair, perl};
use crate::privileges::users::with_users;
use crate::support::{host, leave_to, wait_until, write_program};

const REFUSED: &str = "Operation not permitted\n";
const UNCONFINED: &str = "--security-opt seccomp=unconfined";

/// Skips a test, aloud, where the machine must not come to harm, and for users who cannot harm it.
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
    // None of these would do anything. Their errors for somebody with the permission show that permission is not the point.
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
    // 'h' prints help to the kernel's log. 'b' would reboot.
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
    // Even if the filter and the capabilities are out of the way, it takes another mount.
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

/// A way to have the host's root run a program outside: the kernel does that in a hierarchy of version 1 when the last
/// process leaves a group. The program leaves a `proof`.
struct Agent {
    _directory: TempDir,
    line: String,
    attack: String,
    proof: PathBuf,
}

impl Agent {
    fn of(hierarchy: &str) -> Self {
        let (_directory, rootfs) = with_users("", "");
        let (agent, proof) = (rootfs.join("tmp/agent"), rootfs.join("tmp/proof"));
        let text = format!("#!/bin/sh\nhostname >{}\n", proof.display());
        write_program(&agent, &text);
        let attack = format!(
            "mkdir -p /tmp/groups
            mount -t cgroup -o none,name={hierarchy} groups /tmp/groups || exit
            mkdir /tmp/groups/last
            echo 1 >/tmp/groups/last/notify_on_release
            echo {} >/tmp/groups/release_agent
            sh -c 'echo $$ >/tmp/groups/last/cgroup.procs'",
            agent.display()
        );
        let line = format!(r#"$RUN --rootfs {} sh -c "$ATTACK""#, rootfs.display());
        Self {
            _directory,
            line,
            attack,
            proof,
        }
    }

    /// Checks that a container with these `options` is not allowed to mount the hierarchy, and that nothing comes of it.
    fn is_refused_to(&self, options: &str) {
        let seen = now(options, &self.line, &self.attack);
        assert!(
            seen.stderr
                .contains("mount: /tmp/groups: permission denied"),
            "{}",
            seen.stderr
        );
        sleep(Duration::from_millis(500));
        assert!(!self.proof.exists(), "{options}");
    }

    fn has_run(&self) {
        let name = host("hostname");
        wait_until("the agent run", || {
            fs::read_to_string(&self.proof).is_ok_and(|text| text == name)
        });
    }
}

#[test]
fn no_release_agent_runs_on_the_host() {
    need_a_machine_to_lose!();
    let agent = Agent::of("attack");
    agent.is_refused_to("");
    agent.is_refused_to(UNCONFINED);
    // A new hierarchy can only be had in the host's cgroup namespace.
    agent.is_refused_to("--cap-add SYS_ADMIN");
    if pair("day09-bridge", &agent.line, &agent.attack).is_some() {
        agent.has_run();
    }
}

#[test]
fn with_sys_admin_a_release_agent_of_the_hosts_own_hierarchy_does() {
    need_a_machine_to_lose!();
    // Hybrid hosts have several. If the container is in the root of one of them, it gets the file: the namespace begins
    // there. That is why --cap-add SYS_ADMIN is only for those whom you trust with the machine.
    let mounted = TempDir::new().unwrap();
    let path = mounted.path().display();
    host(&format!(
        "mount -t cgroup -o none,name=tiny-host groups {path}"
    ));
    let agent = Agent::of("tiny-host");
    agent.is_refused_to("");
    agent.is_refused_to(UNCONFINED);
    let seen = now("--cap-add SYS_ADMIN", &agent.line, &agent.attack);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    agent.has_run();
    host(&format!("rmdir {path}/last; umount {path}"));
}

#[test]
fn with_sys_admin_the_machine_is_open_as_in_docker_without_apparmor() {
    need_a_machine_to_lose!();
    // Whoever may mount can get another /proc, with nothing covered and nothing read-only. We open it, but do not write.
    let line = r#"$RUN sh -c 'mkdir /tmp/proc; mount -t proc proc /tmp/proc; : >>/tmp/proc/sys/kernel/core_pattern'"#;
    assert_ne!(now("", line, "").stderr, "");
    let seen = now("--cap-add SYS_ADMIN", line, "");
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}
