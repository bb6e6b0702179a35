//! Attacks on the host's processes, and on what they share: signals, their memory, shared memory, keys.

use std::io::{BufRead, BufReader};
use std::process::Command;

use crate::need_namespaces;
use crate::pair::{PERL, now, pair, perl};
use crate::support::{Running, host, leave_to, skip};
use nix::unistd::geteuid;

/// A process that keeps a secret, and the address of that in its memory.
fn victim() -> Option<(Running, u64)> {
    // PR_SET_PTRACER: many hosts let only a parent look into a process, so this one says that it does not mind.
    let script = format!(
        r#"$s = "a secret"; $| = 1; syscall({}, 0x59616d61, -1, 0, 0, 0);
        printf "%d\n", unpack("Q", pack("p", $s)); sleep 1000"#,
        libc::SYS_prctl
    );
    if Command::new("perl").args(["-e", "1"]).status().is_err() {
        skip("perl: sudo apt install perl");
        return None;
    }
    let mut victim = Running::start(Command::new("perl").args(["-e", &script]));
    let mut address = String::new();
    let mut output = BufReader::new(victim.0.stdout.take().unwrap());
    output.read_line(&mut address).unwrap();
    Some((victim, address.trim().parse().unwrap()))
}

/// What `attack` prints about the process PID with a secret at ADDRESS: on day 1, which isolates nothing, and today.
fn on_the_victim(attack: &str) -> Option<[String; 2]> {
    let (victim, address) = victim()?;
    let attack = attack
        .replace("PID", &victim.pid().to_string())
        .replace("ADDRESS", &address.to_string());
    let pair = perl("day01-cli", &attack)?;
    Some(pair.map(|seen| seen.stdout + &seen.stderr))
}

const OPEN_FAILS: &str = "No such file or directory\n";
const NO_SUCH_PROCESS: &str = "No such process\n";

#[test]
fn no_signal_reaches_a_process_outside() {
    need_namespaces!();
    let attack = r#"print kill(0, PID) ? "killed\n" : "$!\n""#;
    let Some([before, now]) = on_the_victim(attack) else {
        return;
    };
    assert_eq!(before, "killed\n");
    assert_eq!(now, NO_SUCH_PROCESS);
}

#[test]
fn no_pidfd_of_a_process_outside_can_be_had() {
    need_namespaces!();
    let attack = r#"print syscall(CALL, PID, 0) < 0 ? "$!\n" : "opened\n""#
        .replace("CALL", &libc::SYS_pidfd_open.to_string());
    let Some([before, now]) = on_the_victim(&attack) else {
        return;
    };
    assert_eq!(before, "opened\n");
    assert_eq!(now, NO_SUCH_PROCESS);
}

#[test]
fn no_process_outside_can_be_traced() {
    need_namespaces!();
    // When the tracer ends, the other one goes on.
    let attack = r#"print syscall(CALL, 16, PID, 0, 0) < 0 ? "$!\n" : "attached\n""#
        .replace("CALL", &libc::SYS_ptrace.to_string());
    let Some([before, now]) = on_the_victim(&attack) else {
        return;
    };
    assert_eq!(before, "attached\n");
    assert_eq!(now, NO_SUCH_PROCESS);
}

#[test]
fn no_memory_of_a_process_outside_can_be_read() {
    need_namespaces!();
    let attack = r#"
        $got = " " x 8;
        $mine = pack("PQ", $got, 8);
        $theirs = pack("QQ", ADDRESS, 8);
        print syscall(CALL, PID, $mine, 1, $theirs, 1, 0) < 0 ? "$!\n" : "$got\n""#
        .replace("CALL", &libc::SYS_process_vm_readv.to_string());
    let Some([before, now]) = on_the_victim(&attack) else {
        return;
    };
    assert_eq!(before, "a secret\n");
    assert_eq!(now, NO_SUCH_PROCESS);
}

#[test]
fn no_file_of_a_process_outside_can_be_opened() {
    need_namespaces!();
    for file in ["mem", "environ", "root", "ns/uts"] {
        let attack = format!(r#"print open($file, "<", "/proc/PID/{file}") ? "opened\n" : "$!\n""#);
        let Some([before, now]) = on_the_victim(&attack) else {
            return;
        };
        assert_eq!(before, "opened\n", "{file}");
        assert_eq!(now, OPEN_FAILS, "{file}");
    }
}

#[test]
fn kill_0_does_not_reach_the_caller() {
    need_namespaces!();
    // A process group does not end where a PID namespace does. As in a script, without a terminal.
    let line = r#"exec setsid -w sh -c "$RUN sh -c 'trap : USR1; kill -USR1 0'; echo still there""#;
    let Some([before, now]) = pair("day09-bridge", line, "") else {
        return;
    };
    assert_eq!(before.stdout, "");
    assert_eq!(now.stdout, "still there\n");
}

#[test]
fn the_hosts_shared_memory_is_out_of_reach() {
    need_namespaces!();
    if host("command -v perl || true").is_empty() {
        return skip("perl: sudo apt install perl");
    }
    let key = 0x7d00_0000 + std::process::id();
    let create = format!(
        r#"$id = shmget({key}, 8, 0600 | 01000) // die $!; shmwrite($id, "a secret", 0, 8); print $id"#
    );
    let id = host(&format!("perl -e '{create}'"));
    let attack = format!(
        r#"$id = shmget({key}, 8, 0); print "$!\n" if !defined $id;
        print "$got\n" if defined $id and shmread($id, $got, 0, 8)"#
    );
    let pair = perl("day09-bridge", &attack);
    host(&format!("perl -e 'shmctl({id}, 0, 0)'"));
    let Some([before, now]) = pair else { return };
    assert_eq!(before.stdout, "a secret\n", "{}", before.stderr);
    assert_eq!(now.stdout, OPEN_FAILS);
}

#[test]
fn the_hosts_message_queues_are_out_of_reach() {
    need_namespaces!();
    if host("command -v perl || true").is_empty() {
        return skip("perl: sudo apt install perl");
    }
    let name = format!("tiny-docker-{}", std::process::id());
    // O_CREAT and O_RDWR; a file system names the queue without the slash.
    let queue = |call: i64, more: &str| format!(r#"syscall({call}, $n = "{name}"{more})"#);
    let create = queue(libc::SYS_mq_open, ", 0102, 0600, 0");
    host(&format!("perl -e '{create} >= 0 or die $!'"));
    let open = queue(libc::SYS_mq_open, ", 2, 0, 0");
    let pair = perl(
        "day09-bridge",
        &format!(r#"print {open} < 0 ? "$!\n" : "opened\n""#),
    );
    host(&format!("perl -e '{}'", queue(libc::SYS_mq_unlink, "")));
    let Some([before, now]) = pair else { return };
    assert_eq!(before.stdout, "opened\n");
    assert_eq!(now.stdout, OPEN_FAILS);
}

#[test]
fn the_callers_keys_are_out_of_reach() {
    need_namespaces!();
    // 1: join a session keyring of the test's own, which goes with this process. 10: search there, -3, for the key.
    let line = r#"
        exec perl -e '
            syscall(KEYCTL, 1, 0) >= 0 or die "$!\n";
            $key = "a secret";
            syscall(ADD_KEY, $t = "user", $n = "tiny-docker", $key, 8, -3) >= 0 or die "$!\n";
            exec "sh", "-c", $ENV{INSIDE}'"#
        .replace("KEYCTL", &libc::SYS_keyctl.to_string())
        .replace("ADD_KEY", &libc::SYS_add_key.to_string());
    let attack = r#"
        $id = syscall(KEYCTL, 10, -3, $t = "user", $n = "tiny-docker", 0);
        if ($id < 0) { print "$!\n"; exit }
        $got = " " x 8;
        print syscall(KEYCTL, 11, $id, $got, 8) < 0 ? "$!\n" : "$got\n""#
        .replace("KEYCTL", &libc::SYS_keyctl.to_string());
    let line = format!("export INSIDE='{PERL}'\n{line}");
    let Some([before, today]) = pair("day09-bridge", &line, &attack) else {
        return;
    };
    if before.stderr.contains("not implemented") {
        return skip("a kernel with keyrings");
    }
    assert_eq!(before.stdout, "a secret\n", "{}", before.stderr);
    assert_eq!(today.stdout, "Operation not permitted\n");
    // And without the filter, there is no such key in the container's session keyring: it is a new one.
    let unconfined = now("--security-opt seccomp=unconfined", &line, &attack);
    assert_eq!(unconfined.stdout, "Required key not available\n");
}

#[test]
fn a_volume_of_the_hosts_proc_shows_other_processes_and_not_what_is_in_them() {
    need_namespaces!();
    let Some((victim, _)) = victim() else { return };
    let attack = r#"for $file ("comm", "mem", "environ", "root/etc", "ns/uts") {
            print "$file: ", open($f, "<", "/host/PID/$file") ? "opened\n" : "$!\n" }
        "#
    .replace("PID", &victim.pid().to_string());
    let seen = now("-v /proc:/host", PERL, &attack);
    insta::assert_snapshot!(seen.stdout, @r"
    comm: opened
    mem: Permission denied
    environ: Permission denied
    root/etc: Permission denied
    ns/uts: Permission denied
    ");
    // But its files are root's, and who has such a volume and is that has the machine. So it is in Docker, too.
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let open = r#"print open($f, "+<", "/host/sys/kernel/core_pattern") ? "opened\n" : "$!\n""#;
    assert_eq!(now("-v /proc:/host", PERL, open).stdout, "opened\n");
    assert_eq!(
        now("-v /proc:/host:ro", PERL, open).stdout,
        "Read-only file system\n"
    );
}

#[test]
fn its_cgroup_is_the_highest_that_it_sees() {
    crate::need_cgroups!();
    let line = "$RUN --pids-limit 50 cat /proc/self/cgroup";
    let Some([before, now]) = pair("day09-bridge", line, "") else {
        return;
    };
    assert!(before.stdout.contains("/tiny-docker/"), "{}", before.stdout);
    let ours = now.stdout.lines().all(|line| line.ends_with(":/"));
    assert!(ours && !now.stdout.is_empty(), "{}", now.stdout);
}
