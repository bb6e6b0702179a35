//! Attacks through system calls that no container needs.

use std::fs;
use std::path::Path;

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::pair::{PERL, now, pair, perl};
use crate::support::{host, leave_to, skip};

const REFUSED: &str = "Operation not permitted\n";
const UNCONFINED: &str = "--security-opt seccomp=unconfined";

/// A perl script that says "done" if a system call worked, and otherwise why not.
fn call(number: i64, arguments: &str) -> String {
    format!(r#"print syscall({number}, {arguments}) < 0 ? "$!\n" : "done\n""#)
}

/// What a setting of the host's says, if there is one.
fn setting(file: &str) -> String {
    let text = fs::read_to_string(Path::new("/proc/sys").join(file));
    text.unwrap_or_default().trim().to_owned()
}

/// Checks that a system call works on day 9, and that the filter refuses it today. `unfiltered` is what comes without.
fn refused(attack: &str, unfiltered: &str) {
    let Some([before, today]) = perl("day09-bridge", attack) else {
        return;
    };
    assert_eq!(before.stdout, "done\n", "{attack}: {}", before.stderr);
    assert_eq!(today.stdout, REFUSED, "{attack}: {}", today.stderr);
    assert_eq!(now(UNCONFINED, PERL, attack).stdout, unfiltered, "{attack}");
}

#[test]
fn io_uring_is_refused() {
    need_namespaces!();
    if !["0", "1"].contains(&setting("kernel/io_uring_disabled").as_str()) {
        return skip("a kernel with io_uring");
    }
    if setting("kernel/io_uring_disabled") == "1" && !geteuid().is_root() {
        return leave_to("root");
    }
    let attack = call(libc::SYS_io_uring_setup, r#"1, $p = "\0" x 120"#);
    refused(&attack, "done\n");
}

#[test]
fn userfaultfd_is_refused() {
    need_namespaces!();
    if setting("vm/unprivileged_userfaultfd").is_empty() {
        return skip("a kernel with userfaultfd");
    }
    // UFFD_USER_MODE_ONLY
    refused(&call(libc::SYS_userfaultfd, "1"), "done\n");
}

#[test]
fn perf_event_open_is_refused() {
    need_namespaces!();
    if !geteuid().is_root() {
        // On most hosts it is root's anyway.
        return leave_to("root");
    }
    // A software event of this process.
    let attack = call(
        libc::SYS_perf_event_open,
        r#"$p = pack("LLQ", 1, 112, 0) . "\0" x 96, 0, -1, -1, 0"#,
    );
    let paranoid = setting("kernel/perf_event_paranoid")
        .parse()
        .is_ok_and(|level: i32| level >= 2);
    let needs_perfmon = "Permission denied\n";
    refused(&attack, if paranoid { needs_perfmon } else { "done\n" });
}

#[test]
fn bpf_is_refused() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    // BPF_MAP_CREATE: an array of one number, that nobody uses.
    let attack = call(
        libc::SYS_bpf,
        r#"0, $a = pack("LLLL", 2, 4, 4, 1) . "\0" x 112, 128"#,
    );
    let restricted = !["", "0"].contains(&setting("kernel/unprivileged_bpf_disabled").as_str());
    refused(&attack, if restricted { REFUSED } else { "done\n" });
}

#[test]
fn the_kernels_log_is_not_to_be_read() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    // SYSLOG_ACTION_READ_ALL: the last few bytes.
    let attack = call(libc::SYS_syslog, r#"3, $b = " " x 16, 16"#);
    let restricted = setting("kernel/dmesg_restrict") == "1";
    refused(&attack, if restricted { REFUSED } else { "done\n" });
}

#[test]
fn a_file_of_the_host_cannot_be_opened_by_its_handle() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    // "Shocker", of 2014: a handle is a number that can be guessed, and opens a file wherever it is. This one is on the
    // file system from which the container has its /etc/hosts.
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("secret");
    fs::write(&file, "a secret\n").unwrap();
    let handle = host(&format!(
        r#"perl -e '$h = pack("LL", 128, 0) . "\0" x 128;
            syscall({}, -100, $f = "{}", $h, $m = "\0" x 4, 0) < 0 and die "$!\n";
            print unpack("H*", $h)' || true"#,
        libc::SYS_name_to_handle_at,
        file.display()
    ));
    if handle.is_empty() {
        return skip("a /tmp that supports file handles");
    }
    let attack = format!(
        r#"open($etc, "<", "/etc/hosts") or die "$!\n";
        $fd = syscall({}, fileno($etc), $h = pack("H*", "{handle}"), 0);
        $fd < 0 and print "$!\n" or open($secret, "<&=", $fd) and print <$secret>"#,
        libc::SYS_open_by_handle_at
    );
    // In the test's own network, of course.
    let line = r#"$TD run --net host perl -e "$ATTACK""#;
    let Some([before, today]) = pair("day09-bridge", line, &attack) else {
        return;
    };
    assert_eq!(before.stdout, "a secret\n", "{}", before.stderr);
    assert_eq!(today.stdout, REFUSED);
    let line = line.replace("run", "run --security-opt seccomp=unconfined");
    assert_eq!(now("", &line, &attack).stdout, REFUSED);
}

/// Three ways to a user namespace in which a process has all capabilities.
fn new_user_namespaces() -> [String; 3] {
    let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
    // Where it works, it is a fork: the child says nothing.
    let fork = |number: i64, arguments: &str| {
        let parent = r#"$pid < 0 and print "$!\n" or $pid and print "done\n""#;
        format!(
            "$pid = syscall({number}, {arguments}); {parent}; syscall({}, 0) if !$pid",
            libc::SYS_exit_group
        )
    };
    [
        call(libc::SYS_unshare, &libc::CLONE_NEWUSER.to_string()),
        fork(libc::SYS_clone, &format!("{flags}, 0, 0, 0, 0")),
        fork(
            libc::SYS_clone3,
            &format!(
                r#"$a = pack("Q8", {}, 0, 0, 0, 17, 0, 0, 0), 64"#,
                libc::CLONE_NEWUSER
            ),
        ),
    ]
}

#[test]
fn there_is_no_new_user_namespace() {
    need_namespaces!();
    let answers = [REFUSED, REFUSED, "Function not implemented\n"];
    for (attack, answer) in new_user_namespaces().iter().zip(answers) {
        // From day 3 on, a chroot is in the way. Whoever can leave it has this one back.
        let Some([before, today]) = perl("day02-namespaces", attack) else {
            return;
        };
        assert_eq!(before.stdout, "done\n", "{attack}: {}", before.stderr);
        assert_eq!(today.stdout, answer, "{attack}");
        // The filter is all that is in the way: Docker's container has no other lock here either.
        let unconfined = now(UNCONFINED, PERL, attack);
        assert_eq!(unconfined.stdout, "done\n", "{attack}");
    }
}

#[test]
fn a_hosts_namespace_cannot_be_joined() {
    need_namespaces!();
    if !geteuid().is_root() {
        // From a user namespace, the host's are out of reach on all days.
        return leave_to("root");
    }
    // By a descriptor of it that the caller hands in.
    let attack = call(libc::SYS_setns, "0, 0") + r#"; exec "hostname""#;
    let line = "$RUN --hostname inside perl -e \"$ATTACK\" </proc/self/ns/uts";
    let Some([before, today]) = pair("day09-bridge", line, &attack) else {
        return;
    };
    assert_eq!(before.stdout, format!("done\n{}", host("hostname")));
    assert_eq!(today.stdout, format!("{REFUSED}inside\n"));
    let unconfined = now(UNCONFINED, line, &attack);
    assert_eq!(unconfined.stdout, format!("{REFUSED}inside\n"));

    // Through the host's /proc, which is there for whoever leaves the chroot: into a directory below, and then up.
    let attack = r#"
        chroot("/tmp"); chdir("..") for 1..64; chroot(".");
        open($ns, "<", "/proc/PID/ns/uts") or open($ns, "<", "/proc/1/ns/uts") or die "$!\n";
        syscall(SETNS, fileno($ns), 0) < 0 and print "$!\n";
        open($name, "<", "/proc/sys/kernel/hostname") and print <$name>"#
        .replace("PID", &std::process::id().to_string())
        .replace("SETNS", &libc::SYS_setns.to_string());
    let line = "$RUN --hostname inside perl -e \"$ATTACK\"";
    let Some([before, today]) = pair("day09-bridge", line, &attack) else {
        return;
    };
    assert_eq!(before.stdout, host("hostname"));
    assert_eq!(today.stdout, format!("{REFUSED}inside\n"));
}
