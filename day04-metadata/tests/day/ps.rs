//! What `ps` shows.

use std::fs;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::need_namespaces;
use crate::support::{
    Running, only_record, processes_with, records, see, shell, state, tiny_docker, wait_until,
    without_ids,
};

/// Starts a container, and waits until it is listed as running.
fn start(arguments: &[&str]) -> Running {
    let before = see(&["ps"]).stdout.lines().count();
    let running = Running::start(&mut tiny_docker(&[&["run"], arguments].concat()));
    wait_until("the container listed", || {
        see(&["ps"]).stdout.lines().count() > before
    });
    running
}

#[test]
fn without_containers_there_are_only_headings() {
    let seen = see(&["ps", "-a"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(seen.stdout, @"CONTAINER ID   PID   STATUS   COMMAND");
}

#[test]
fn ps_lists_the_running_ones_and_with_a_all_newest_first() {
    need_namespaces!();
    see(&["run", "sh", "-c", "exit 3"]);
    see(&["run", "sh", "-c", "kill -KILL 1; echo ended by nobody"]);
    let time = format!("1000.{}1", std::process::id());
    let _running = start(&["sleep", &time]);
    let hide = |text: String| without_ids(&text).replace(&time, "1000");
    assert_snapshot!(hide(see(&["ps"]).stdout), @"
    CONTAINER ID   PID   STATUS   COMMAND
    ID   PID   running   sleep 1000
    ");
    assert_snapshot!(hide(see(&["ps", "--all"]).stdout), @"
    CONTAINER ID   PID   STATUS   COMMAND
    ID   PID   running   sleep 1000
    ID   -   exited (0)   sh -c kill -KILL 1; echo ended by nobody
    ID   -   exited (3)   sh -c exit 3
    ");
}

#[test]
fn the_columns_are_as_wide_as_they_need_to_be() {
    need_namespaces!();
    see(&["run", "sh", "-c", "exit 255"]);
    let _running = start(&["sleep", "1000"]);
    let table = see(&["ps", "-a"]).stdout;
    let column = table.find("COMMAND").unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1][column..].starts_with("sleep"), "{table}");
    assert!(lines[2][..column].ends_with("exited (255)   "), "{table}");
}

#[test]
fn the_pid_is_that_of_pid_1_on_the_host() {
    need_namespaces!();
    let time = format!("1000.{}2", std::process::id());
    let running = start(&["sleep", &time]);
    let table = see(&["ps"]).stdout;
    let pid = table
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap();
    let pid: i32 = pid.parse().unwrap();
    assert_ne!(pid, running.pid());
    // It has the name of its command from the moment of exec.
    wait_until("its command", || processes_with(&time).contains(&pid));
}

#[test]
fn control_characters_in_a_command_do_not_reach_the_terminal() {
    need_namespaces!();
    see(&["run", "sh", "-c", "true\n", "\u{1b}[31mred", "é"]);
    assert_snapshot!(without_ids(&see(&["ps", "-a"]).stdout), @r"
    CONTAINER ID   PID   STATUS   COMMAND
    ID   -   exited (0)   sh -c true\n \u{1b}[31mred é
    ");
}

#[test]
fn a_reader_that_has_had_enough_ends_ps_quietly() {
    need_namespaces!();
    for _ in 0..3 {
        see(&["run", "true"]);
    }
    let seen = shell("for i in 1 2 3 4 5 6 7 8 9; do $TD ps -a | head -1; done");
    assert_eq!(seen.stderr, "");
    assert_eq!(seen.stdout.lines().count(), 9);
    // Here, the reader is gone before the first byte.
    let seen = shell("(sleep 0.3; $TD ps -a) | true; sleep 0.5");
    assert_eq!(seen.stderr, "");
    let seen = shell("$TD ps >/dev/full; echo $?");
    assert_eq!(seen.stdout, "1\n");
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot print: No space left on device (os error 28)");
}

#[test]
fn a_container_whose_runtime_was_killed_has_ended() {
    need_namespaces!();
    let running = start(&["sleep", "1000"]);
    kill(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    wait_until("it gone", || see(&["ps"]).stdout.lines().count() == 1);
    assert_snapshot!(without_ids(&see(&["ps", "-a"]).stdout), @"
    CONTAINER ID   PID   STATUS   COMMAND
    ID   -   exited   sleep 1000
    ");
}

#[test]
fn ps_changes_no_record() {
    need_namespaces!();
    let running = start(&["sleep", "1000"]);
    kill(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    let config = only_record().join("config.json");
    let before = (
        fs::read(&config).unwrap(),
        fs::metadata(&config).unwrap().modified().unwrap(),
    );
    see(&["ps"]);
    see(&["ps", "-a"]);
    let after = (
        fs::read(&config).unwrap(),
        fs::metadata(&config).unwrap().modified().unwrap(),
    );
    assert!(before == after);
}

#[test]
fn ps_never_fails_while_containers_come_and_go() {
    need_namespaces!();
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do $TD run true & $TD run no-such 2>/dev/null & done; wait";
    let mut coming = std::process::Command::new("sh");
    coming
        .args(["-c", script])
        .env("TD", crate::support::TINY_DOCKER);
    let mut coming = Running::start(coming.env("TINY_DOCKER_ROOT", state()));
    loop {
        let over = coming.0.try_wait().unwrap().is_some();
        let seen = see(&["ps", "-a"]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        if over {
            break;
        }
    }
    let listed = see(&["ps", "-a"]).stdout;
    assert_eq!(
        listed.matches("exited (0)   true\n").count(),
        15,
        "{listed}"
    );
    assert_eq!(records().len(), 15);
}

#[test]
fn ps_never_sees_half_of_a_record() {
    need_namespaces!();
    // Each of these creates a record, and removes it again.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
        do $TD run no-such & $TD run no-such & $TD run no-such & $TD run no-such; done 2>/dev/null; wait";
    let mut coming = std::process::Command::new("sh");
    coming.args(["-c", script]);
    coming.env("TD", crate::support::TINY_DOCKER);
    let mut coming = Running::start(coming.env("TINY_DOCKER_ROOT", state()));
    while coming.0.try_wait().unwrap().is_none() {
        let seen = see(&["ps", "-a"]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    }
    assert_eq!(records().len(), 0);
}
