//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// `tiny-docker --root STATE info FEATURES…`.
fn info(state: &str, features: &[&str]) -> Seen {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.args(["--root", state, "info"]).args(features);
    let output = command.stdin(Stdio::null()).output().unwrap();
    Seen {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The names of the features that `stdout` says something about.
fn features(stdout: &str) -> Vec<String> {
    let rows = stdout.lines().filter(|line| line.starts_with("day "));
    let name = |row: &str| row[8..].split("  ").next().unwrap().to_owned();
    rows.map(name).collect()
}

/// A directory for records, and one in which nobody can create any.
fn places() -> (TempDir, &'static str) {
    (TempDir::new().unwrap(), "/proc/nowhere")
}

#[test]
#[ignore = "exercise 1: info about a feature"]
fn ex1_only_what_was_asked_for_is_printed() {
    let (good, _) = places();
    let good = good.path().to_str().unwrap();
    let seen = info(good, &["container records", "processes"]);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    let mut names = features(&seen.stdout);
    names.sort();
    assert_eq!(names, ["container records", "processes"]);
    assert_eq!(
        seen.stdout.lines().count(),
        2,
        "one line for each feature, and nothing else:\n{}",
        seen.stdout
    );
}

#[test]
#[ignore = "exercise 1: info about a feature"]
fn ex1_the_exit_code_is_for_scripts() {
    let (good, bad) = places();
    let good = good.path().to_str().unwrap();
    assert_eq!(info(good, &["container records"]).code, Some(0));
    // Wherever the missing one stands.
    for features in [
        &["container records"][..],
        &["container records", "processes"],
        &["processes", "container records"],
        &["processes", "container records", "log following"],
    ] {
        let seen = info(bad, features);
        assert_eq!(seen.code, Some(1), "info {features:?}:\n{}", seen.stdout);
        assert!(
            seen.stdout
                .contains("container records           no: cannot write to /proc"),
            "the reason should still be there:\n{}",
            seen.stdout
        );
    }
}

#[test]
#[ignore = "exercise 1: info about a feature"]
fn ex1_nobody_knows_an_unknown_feature() {
    let (good, _) = places();
    let good = good.path().to_str().unwrap();
    assert_eq!(info(good, &["processes"]).code, Some(0));
    let seen = info(good, &["processes", "time travel"]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.starts_with("tiny-docker: ") && seen.stderr.contains("time travel"),
        "an error should name the feature: {}",
        seen.stderr
    );
    assert_eq!(
        seen.stdout, "",
        "it should be clear before anything is printed"
    );
}

#[test]
#[ignore = "exercise 1: info about a feature"]
fn ex1_without_a_feature_nothing_has_changed() {
    let (good, bad) = places();
    assert_eq!(
        info(good.path().to_str().unwrap(), &["processes"]).code,
        Some(0)
    );
    let seen = info(bad, &[]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(seen.stdout.starts_with("tiny-docker "), "{}", seen.stdout);
    assert!(features(&seen.stdout).len() > 8, "{}", seen.stdout);
}
