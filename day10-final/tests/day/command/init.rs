//! PID 1, and what `--init` changes about it.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::need_namespaces;
use crate::support::{Detached, see, shell, wait_until};

#[test]
fn a_shell_that_is_pid_1_ignores_sigterm() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "while :; do sleep 0.1; done"]);
    let start = Instant::now();
    assert_eq!(see(&["stop", "-t", "1", &container.id]).code, Some(0));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        container.listed(),
        "- stopped (137) sh -c while :; do sleep 0.1; done"
    );
}

#[test]
fn with_init_the_same_shell_ends_of_it() {
    need_namespaces!();
    let container = Detached::start(&["--init", "sh", "-c", "while :; do sleep 0.1; done"]);
    // Without an end of its own accord, this would take an hour.
    assert_eq!(see(&["stop", "-t", "3600", &container.id]).code, Some(0));
    assert_eq!(
        container.listed(),
        "- stopped (143) sh -c while :; do sleep 0.1; done"
    );
}

#[test]
fn the_command_is_the_first_child_of_init() {
    need_namespaces!();
    let script = "echo $$ $PPID; cat /proc/1/comm; ls /proc/1/fd | wc -l";
    // 0, 1, 2 and the signalfd: not what the caller's shell has open.
    let seen = shell(&format!("$TD run --init sh -c '{script}' 9</etc/passwd"));
    assert_snapshot!(seen.stdout, @"
    2 1
    init
    4
    ");
}

#[test]
fn init_passes_the_exit_code_on() {
    need_namespaces!();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 42", 42),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
    ] {
        assert_eq!(
            see(&["run", "--init", "sh", "-c", script]).code,
            Some(code),
            "{script}"
        );
    }
    let seen = see(&["run", "--init", "/no-such-command"]);
    assert_eq!(seen.code, Some(127));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot run /no-such-command: ENOENT: No such file or directory");
}

#[test]
fn init_reaps_orphans() {
    need_namespaces!();
    // The inner shell ends at once, and leaves its children to PID 1.
    // Nine that end at once, so that their signals merge into fewer.
    let script =
        "all=$(sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 >/dev/null & echo $!; done')
        kill -KILL $all; sleep 0.3; ps -e -o stat= | grep -c Z";
    assert_eq!(see(&["run", "--init", "sh", "-c", script]).stdout, "0\n");
    // The test can fail: a PID 1 that does not reap.
    let careless = "exec sh -c \"sh -c 'sleep 0.05 &'; exec sleep 0.5\" & sleep 0.3; true";
    let container = Detached::start(&[
        "sh",
        "-c",
        &format!("({careless}) & sh -c 'sleep 0.05 &'; exec sleep 1000"),
    ]);
    let children = format!("/proc/{0}/task/{0}/children", container.pid());
    wait_until("a zombie", || {
        let children = std::fs::read_to_string(&children).unwrap_or_default();
        children.split_whitespace().any(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| stat.contains(") Z "))
        })
    });
}

#[test]
fn init_passes_signals_on_to_the_command_alone_and_once() {
    need_namespaces!();
    // 35 and 64 are real-time signals.
    for name in ["USR1", "HUP", "WINCH", "CONT", "35", "64"] {
        let script = format!(
            "trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
        );
        let container = Detached::start(&["--init", "sh", "-c", &script]);
        wait_until("it ready", || {
            see(&["logs", &container.id]).stdout == "ready\n"
        });
        shell(&format!("kill -{name} {}", container.pid()));
        container.wait_for_its_end();
        assert_eq!(
            see(&["logs", &container.id]).stdout,
            format!("ready\ngot {name}\n")
        );
        assert_eq!(container.record()["exit_code"], 5);
    }
}
