//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day01-cli --test exercises -- --ignored ex1

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// `tiny-docker ARGUMENTS…`, with nothing to read, still to be started.
fn tiny_docker(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs `command` to its end. None of the graders' own commands exits 2: that is clap, at an unknown option.
fn see_what(mut command: Command) -> Seen {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_ne!(
        status.code(),
        Some(2),
        "{command:?} is not understood yet:\n{stderr}"
    );
    Seen {
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr,
    }
}

/// Runs `tiny-docker ARGUMENTS…` to its end.
fn see(arguments: &[&str]) -> Seen {
    see_what(tiny_docker(arguments))
}

// Exercise 1: run -w DIR

#[test]
#[ignore = "exercise"]
fn ex1_the_command_starts_in_the_directory_asked_for() {
    for option in ["-w", "--workdir"] {
        let seen = see(&["run", option, "/usr", "pwd"]);
        assert_eq!(
            seen.stdout, "/usr\n",
            "run {option} /usr pwd should print /usr. On stderr: {}",
            seen.stderr
        );
    }
    let mut relative = tiny_docker(&["run", "-w", "usr", "pwd"]);
    relative.current_dir("/");
    let seen = see_what(relative);
    assert_eq!(
        seen.stdout, "/usr\n",
        "from /, run -w usr pwd should print /usr. On stderr: {}",
        seen.stderr
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_a_missing_directory_is_named_and_exits_125() {
    let seen = see(&["run", "-w", "/no/such/directory", "pwd"]);
    assert!(
        seen.stderr.contains("/no/such/directory"),
        "the message should name /no/such/directory, and is: {}",
        seen.stderr
    );
    assert_eq!(
        seen.stderr.lines().count(),
        1,
        "the message should be one line, and is: {}",
        seen.stderr
    );
    assert_eq!(
        seen.code,
        Some(125),
        "pwd is there, the directory is not: that is 125, not 127"
    );
    assert_eq!(
        seen.stdout, "",
        "nothing should run where the directory is missing"
    );
    let seen = see(&["run", "-w", "/usr", "/no/such/command"]);
    assert_eq!(
        seen.code,
        Some(127),
        "here it is the command that is missing: 127. On stderr: {}",
        seen.stderr
    );
}

// Exercise 2: run -e KEY=VALUE

#[test]
#[ignore = "exercise"]
fn ex2_the_command_gets_the_variables_that_the_user_sets() {
    let seen = see(&[
        "run",
        "-e",
        "GREETING=hello world",
        "--env",
        "OPTIONS=--level=9 --name=x",
        "-e",
        "EMPTY=",
        "env",
    ]);
    for variable in [
        "GREETING=hello world",
        "OPTIONS=--level=9 --name=x",
        "EMPTY=",
    ] {
        assert!(
            seen.stdout.lines().any(|line| line == variable),
            "env should have printed the line {variable}\nand printed:\n{}{}",
            seen.stdout,
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_what_the_user_sets_wins_over_the_callers() {
    let mut run = tiny_docker(&["run", "-e", "OPTIONS=--level=9 --name=x", "env"]);
    run.env("OPTIONS", "the caller's");
    let seen = see_what(run);
    let set: Vec<_> = seen
        .stdout
        .lines()
        .filter(|line| line.starts_with("OPTIONS="))
        .collect();
    assert_eq!(
        set,
        ["OPTIONS=--level=9 --name=x"],
        "OPTIONS should be there once, as the user has set it: its name ends at the first '='"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_a_variable_without_a_value_is_the_callers() {
    let mut run = tiny_docker(&["run", "-e", "GREETING", "-e", "NOBODY_SET_THIS", "env"]);
    run.env("GREETING", "the caller's=own")
        .env_remove("NOBODY_SET_THIS");
    let seen = see_what(run);
    assert!(
        seen.stdout.contains("GREETING=the caller's=own\n"),
        "-e GREETING should pass on the caller's value. env printed:\n{}{}",
        seen.stdout,
        seen.stderr
    );
    assert!(
        !seen.stdout.contains("NOBODY_SET_THIS"),
        "a variable that the caller does not have should not exist, not even as an empty one"
    );
}

// Exercise 3: run --timeout SECONDS

#[test]
#[ignore = "exercise"]
fn ex3_a_command_that_takes_too_long_exits_124() {
    let seen = see(&["run", "--timeout", "1", "sleep", "60"]);
    assert_eq!(
        seen.code,
        Some(124),
        "a timeout's exit code is 124, as with timeout(1). (0: sleep was left to finish; 143: SIGTERM came, but its \
         128 + 15 went out)"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_what_ends_the_command_is_sigterm() {
    // A shell that cleans up, and by itself says that it is content.
    let script = "trap 'echo got SIGTERM; exit 0' TERM; for i in $(seq 300); do sleep 0.1; done";
    let seen = see(&["run", "--timeout", "2", "sh", "-c", script]);
    assert_eq!(
        seen.stdout, "got SIGTERM\n",
        "the command should get SIGTERM, and the time to react to it"
    );
    assert_eq!(
        seen.code,
        Some(124),
        "it was too late, whatever the command itself exits with"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_a_command_that_ends_in_time_keeps_its_exit_code() {
    let start = Instant::now();
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
        let seen = see(&["run", "--timeout", "100", "sh", "-c", script]);
        assert_eq!(seen.code, Some(code), "sh -c '{script}' ended in time");
    }
    assert!(
        start.elapsed() < Duration::from_secs(100),
        "the runtime should end when the command does, not when the time is up"
    );
}
