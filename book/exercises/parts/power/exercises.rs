//! The grader of this part's exercise. It fails until the exercise is solved, and says what it misses:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use tempfile::TempDir;

const STATUS: &str = "grep -hE '^(Uid|Cap)' /proc/self/status";

/// What `script` prints in a container with these options of `run`, which must exit 0.
fn run(options: &str, script: &str) -> String {
    let state = TempDir::new().unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    run.args(["run", "--net", "isolated"]);
    run.args(options.split_whitespace())
        .args(["sh", "-c", script]);
    run.env("TINY_DOCKER_ROOT", state.path())
        .stdin(Stdio::null());
    let output = run.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "run {options} should exit 0. On stderr:\n{stderr}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Checks that a process is `user` in each respect, and has none of the capabilities, but may still get the default.
fn assert_powerless(options: &str, status: &str, user: &str) {
    for line in status.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let expected = match name {
            "Uid:" => user,
            "CapBnd:" => "00000000a80425fb",
            _ => "0000000000000000",
        };
        assert!(
            words.all(|word| word == expected),
            "run {options}: each number should be {expected} in\n{line}"
        );
    }
    assert!(status.contains("CapEff"), "run {options} printed\n{status}");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_root_has_no_capabilities() {
    let options = "--security-opt noroot";
    assert_powerless(options, &run(options, STATUS), "0");
    // Neither has what it executes, and what that executes.
    let nested = format!("sh -c \"{STATUS}\"; exec {STATUS}");
    assert_powerless(options, &run(options, &nested), "0");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_new_privileges_do_not_bring_them_back() {
    let options = "--security-opt noroot --security-opt no-new-privileges=false";
    assert_powerless(options, &run(options, STATUS), "0");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_pid_1_of_init_has_none_either() {
    let options = "--security-opt noroot --init";
    let status = run(options, &STATUS.replace("self", "1"));
    assert_powerless(options, &status, "0");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_another_user_is_still_that_user() {
    // An ordinary user's container has root alone.
    let user = if geteuid().is_root() { "65534" } else { "0" };
    let options = format!("--security-opt noroot -u {user}");
    assert_powerless(&options, &run(&options, STATUS), user);
}

#[test]
#[ignore = "exercise 1"]
fn ex1_without_the_option_all_is_as_before() {
    let status = run("", STATUS);
    assert!(
        status.contains("CapEff:\t00000000a80425fb\n"),
        "CapEff has changed:\n{status}"
    );
    let status = run("--init", &STATUS.replace("self", "1"));
    assert!(
        status.contains("CapEff:\t00000000a80425fb\n"),
        "CapEff of init has changed:\n{status}"
    );
    let status = run("--cap-drop ALL", STATUS);
    assert!(
        status.contains("CapBnd:\t0000000000000000\n"),
        "--cap-drop ALL drops less:\n{status}"
    );
}
