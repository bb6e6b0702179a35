//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Runs `tiny-runc --log FILE OPTIONS… ARGUMENTS…`. Returns what it prints, and what is in the file.
fn see(options: &[&str], arguments: &[&str]) -> (Output, String) {
    let own = TempDir::new().unwrap();
    let log = own.path().join("log");
    let mut command = tiny_runc(arguments);
    let mut logged = tiny_runc(&[]);
    logged.arg("--log").arg(&log).args(options).args(arguments);
    let output = logged.output().unwrap();
    // The same without a log, to compare with.
    let usual = command.output().unwrap();
    let what = format!("{options:?} {arguments:?}");
    assert_eq!(output.status, usual.status, "{what}: another exit code");
    // What follows may name the options that were given.
    let texts = [&output, &usual].map(|output| String::from_utf8_lossy(&output.stderr));
    let first = |text: &str| text.lines().next().map(str::to_owned);
    let [said, usual] = texts.map(|text| first(&text));
    assert_eq!(said, usual, "{what}: something else is printed");
    (output, fs::read_to_string(&log).unwrap_or_default())
}

fn tiny_runc(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.arg0("tiny-runc").args(arguments);
    command.current_dir("/");
    command
}

/// What a log of one line in JSON says.
fn reason(log: &str) -> String {
    let line = log.lines().next().unwrap_or("");
    assert!(!line.is_empty(), "there is nothing in the log");
    assert_eq!(log.lines().count(), 1, "more than one line: {log}");
    let line: Value = serde_json::from_str(line).expect("a line of JSON");
    assert_eq!(line["level"], "error", "{log}");
    line["msg"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "exercise 1: what the engine does not see"]
fn ex1_a_wrong_option_is_in_the_log() {
    let json = ["--log-format", "json"];
    for (arguments, expected) in [
        (
            &["--checkpoint", "x"][..],
            "unexpected argument '--checkpoint' found",
        ),
        (
            &["spec", "--checkpoint"],
            "unexpected argument '--checkpoint' found",
        ),
        (
            &["no-such-command", "1234"],
            "unrecognized subcommand 'no-such-command'",
        ),
    ] {
        let (output, log) = see(&json, arguments);
        assert_eq!(reason(&log), expected);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
#[ignore = "exercise 1: what the engine does not see"]
fn ex1_the_log_has_the_format_that_was_asked_for() {
    for options in [&[][..], &["--log-format=text"]] {
        let (_, log) = see(options, &["spec", "--checkpoint"]);
        let end = " level=error msg=\"unexpected argument '--checkpoint' found\"\n";
        assert!(log.starts_with("time=\"") && log.ends_with(end), "{log}");
    }
    let (_, log) = see(&["--log-format=json"], &["spec", "--checkpoint"]);
    reason(&log);
}

#[test]
#[ignore = "exercise 1: what the engine does not see"]
fn ex1_a_line_is_appended() {
    let own = TempDir::new().unwrap();
    let log: PathBuf = own.path().join("log");
    fs::write(&log, "a line of somebody else\n").unwrap();
    let mut command = tiny_runc(&[&format!("--log={}", log.display()), "spec", "-x"]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "a line of somebody else"));
}

#[test]
#[ignore = "exercise 1: what the engine does not see"]
fn ex1_help_is_not_an_error() {
    for arguments in [&["--help"][..], &["help", "spec"], &["spec", "-h"]] {
        let (output, log) = see(&[], arguments);
        assert_eq!((output.status.code(), log.as_str()), (Some(0), ""));
    }
}
