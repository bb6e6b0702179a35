//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day02-namespaces --test exercises -- --ignored ex1

use std::fs;
use std::process::{Command, Output, Stdio};

/// What a user sees of a finished command.
struct Seen {
    stdout: String,
    stderr: String,
}

/// Runs `tiny-docker ARGUMENTS…` to its end, which must be a good one.
fn see(arguments: &[&str]) -> Seen {
    let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
    command.args(arguments).stdin(Stdio::null());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(
        status.success(),
        "tiny-docker {arguments:?} fails, with {status}:\n{stderr}"
    );
    Seen {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr,
    }
}

/// The namespace of this test, which is the host's: for "uts" something like uts:[4026531838].
fn hosts(name: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
    link.to_str().unwrap().to_owned()
}

// Exercise 1: run --domainname NAME

#[test]
#[ignore = "exercise"]
fn ex1_the_container_has_a_domain_name_of_its_own() {
    const NAMES: &str = "cat /proc/sys/kernel/domainname /proc/sys/kernel/hostname";
    let before = fs::read_to_string("/proc/sys/kernel/domainname").unwrap();

    let seen = see(&["run", "--domainname", "example.org", "sh", "-c", NAMES]);
    assert_eq!(
        seen.stdout, "example.org\ntiny-container\n",
        "{NAMES}\nshould print the domain name asked for, and the hostname that every container has"
    );
    let arguments = ["--hostname", "web", "--domainname", "example.net"];
    let seen = see(&[&["run"], &arguments[..], &["sh", "-c", NAMES]].concat());
    assert_eq!(
        seen.stdout, "example.net\nweb\n",
        "{NAMES}\nafter {arguments:?}"
    );

    let after = fs::read_to_string("/proc/sys/kernel/domainname").unwrap();
    assert_eq!(
        after, before,
        "the host's own domain name has changed: which side makes the call?"
    );
}

// Exercise 2: an IPC namespace

#[test]
#[ignore = "exercise"]
fn ex2_the_container_has_an_ipc_namespace_of_its_own() {
    let inside = || see(&["run", "readlink", "/proc/self/ns/ipc"]).stdout;
    let (first, second) = (inside(), inside());
    assert_ne!(
        first.trim_end(),
        hosts("ipc"),
        "readlink /proc/self/ns/ipc should print another number inside than outside"
    );
    assert!(
        first.starts_with("ipc:[") && second.starts_with("ipc:["),
        "readlink /proc/self/ns/ipc printed {first}{second}"
    );

    for name in ["uts", "pid", "mnt"] {
        let inside = see(&["run", "readlink", &format!("/proc/self/ns/{name}")]).stdout;
        assert_ne!(
            inside.trim_end(),
            hosts(name),
            "the {name} namespace, which was the container's own, is the host's now"
        );
    }
}

// Exercise 3: run --verbose

#[test]
#[ignore = "exercise"]
fn ex3_verbose_shows_the_namespaces_that_the_command_sees() {
    let seen = see(&["run", "--verbose", "sh", "-c", "readlink /proc/self/ns/*"]);
    let inside: Vec<_> = seen.stdout.lines().collect();
    for name in ["uts", "pid", "mnt"] {
        assert!(
            !seen.stderr.lines().any(|line| line == hosts(name)),
            "{} is the host's namespace, and not the container's. On stderr:\n{}",
            hosts(name),
            seen.stderr
        );
        let own = inside.iter().find(|line| line.starts_with(name)).unwrap();
        let times = seen.stderr.lines().filter(|line| line == own).count();
        assert_eq!(
            times, 1,
            "stderr should have the line {own} once (pid and pid_for_children are one), and is:\n{}",
            seen.stderr
        );
    }
    for line in seen.stderr.lines() {
        assert!(
            inside.contains(&line),
            "the line {line} on stderr is not what the command itself sees:\n{}",
            seen.stdout
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_verbose_leaves_stdout_to_the_command() {
    let verbose = see(&["run", "--verbose", "echo", "hello"]);
    assert_eq!(
        verbose.stdout, "hello\n",
        "stdout belongs to the command: a script may read it"
    );
    let silent = see(&["run", "echo", "hello"]);
    assert_eq!(
        silent.stderr, "",
        "without --verbose, the runtime says nothing"
    );
}
