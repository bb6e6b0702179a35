//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The rules of a profile that a warning is about, with the call. The bundle has no root filesystem, so nothing is
/// created.
fn warnings(default: &str, rules: Value) -> Vec<String> {
    let own = TempDir::new().unwrap();
    let program = own.path().join("tiny-runc");
    symlink(env!("CARGO_BIN_EXE_tiny-docker"), &program).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("--root").arg(own.path().join("state"));
        command.args(words).arg("--bundle").arg(own.path());
        command
    };
    assert!(run(&["spec"]).status().unwrap().success());
    let config = own.path().join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    spec["process"]["terminal"] = false.into();
    spec["linux"]["seccomp"] = json!({"defaultAction": default, "syscalls": rules});
    fs::write(&config, spec.to_string()).unwrap();
    let output = run(&["create"]).arg("exercise").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("root.path"),
        "not even the root is missing: {stderr}"
    );
    let lines = stderr.lines().filter_map(|line| {
        let (_, text) = line.split_once("linux.seccomp.syscalls[")?;
        let (index, name) = text.split_once("] never decides about ")?;
        Some(format!("{index} {name}"))
    });
    lines.collect()
}

const ALLOW: &str = "SCMP_ACT_ALLOW";

fn rule(names: &[&str], action: &str) -> Value {
    json!({"names": names, "action": action})
}

fn with_condition(names: &[&str]) -> Value {
    let mut rule = rule(names, "SCMP_ACT_ERRNO");
    rule["args"] = json!([{"index": 1, "op": "SCMP_CMP_EQ", "value": 21522}]);
    rule
}

#[test]
#[ignore = "exercise 1: rules that nobody asks"]
fn ex1_a_rule_without_conditions_beats_others() {
    let (bound, free) = (
        with_condition(&["ioctl"]),
        rule(&["read", "ioctl"], "SCMP_ACT_LOG"),
    );
    assert_eq!(warnings(ALLOW, json!([free, bound])), ["1 ioctl"]);
    assert_eq!(
        warnings(ALLOW, json!([bound, free])),
        ["0 ioctl"],
        "the other way round"
    );
}

#[test]
#[ignore = "exercise 1: rules that nobody asks"]
fn ex1_each_name_is_told() {
    let bound = with_condition(&["ioctl", "personality", "socket"]);
    let free = rule(&["socket", "ioctl"], "SCMP_ACT_KILL_PROCESS");
    assert_eq!(
        warnings(ALLOW, json!([bound, free])),
        ["0 ioctl", "0 socket"]
    );
}

#[test]
#[ignore = "exercise 1: rules that nobody asks"]
fn ex1_rules_of_the_default_action_do_not_take_part() {
    let bound = with_condition(&["ioctl"]);
    let none: [String; 0] = [];
    assert_eq!(
        warnings(ALLOW, json!([bound, rule(&["ioctl"], ALLOW)])),
        none
    );
    assert_eq!(
        warnings(
            "SCMP_ACT_ERRNO",
            json!([bound, rule(&["ioctl"], "SCMP_ACT_LOG")])
        ),
        none,
        "the rule with conditions is the one that is left out"
    );
    let error = |errno: u32| {
        let mut rule = rule(&["ioctl"], "SCMP_ACT_ERRNO");
        rule["errnoRet"] = errno.into();
        rule
    };
    assert_eq!(warnings(ALLOW, json!([bound, error(5)])), ["0 ioctl"]);
}

#[test]
#[ignore = "exercise 1: rules that nobody asks"]
fn ex1_other_profiles_are_not_warned_about() {
    let rules = [
        with_condition(&["ioctl"]),
        with_condition(&["ioctl", "socket"]),
        rule(&["read"], "SCMP_ACT_LOG"),
    ];
    let none: [String; 0] = [];
    let some = [with_condition(&["ioctl"]), rule(&["ioctl"], "SCMP_ACT_LOG")];
    assert_eq!(warnings(ALLOW, json!(some)), ["0 ioctl"]);
    assert_eq!(warnings(ALLOW, json!(rules)), none);
}
