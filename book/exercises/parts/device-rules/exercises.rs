//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What `tiny-runc create` says about a configuration with these `resources`. It has no root filesystem, so no container
/// is created, whatever it says.
fn say(resources: &Value) -> String {
    let place = TempDir::new().unwrap();
    let program = place.path().join("tiny-runc");
    symlink(env!("CARGO_BIN_EXE_tiny-docker"), &program).unwrap();
    let config = json!({
        "ociVersion": "1.0.2",
        "process": {"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs"},
        "linux": {"resources": resources, "namespaces": [{"type": "mount"}, {"type": "pid"}]},
    });
    fs::write(place.path().join("config.json"), config.to_string()).unwrap();
    let mut create = Command::new(&program);
    create.arg("--root").arg(place.path().join("root"));
    create.arg("create").arg("--bundle").arg(place.path());
    let output = create.arg("graded").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success(),
        "{resources}: a container without a root?"
    );
    said
}

/// What is refused, in these words, before anything is created.
fn refused(resources: Value, words: &str) {
    let said = say(&resources);
    let expected = format!("/config.json: {words}\n");
    assert!(said.ends_with(&expected), "{resources}: {said}");
}

/// What is not refused, so that the missing root is the first thing that is found.
fn accepted(resources: Value) {
    let said = say(&resources);
    assert!(said.contains("root.path"), "{resources}: {said}");
}

/// What is said about the rule with this index.
fn words(index: usize) -> String {
    format!(
        "linux.resources.devices[{index}]: type \"a\" is for all devices, and has no major or minor number"
    )
}

#[test]
#[ignore = "exercise 1: a rule that says more than it means"]
fn ex1_a_number_in_a_rule_for_all_devices_is_refused() {
    for numbers in [
        json!({"type": "a", "major": 8}),
        json!({"type": "a", "minor": 0}),
        json!({"type": "a", "major": 8, "minor": -1}),
        json!({"type": "a", "major": -1, "minor": 0}),
        // Without a type, it is one for all devices as well.
        json!({"major": 1, "minor": 3}),
    ] {
        let mut rule = numbers;
        rule["allow"] = false.into();
        rule["access"] = "rwm".into();
        let good = json!({"allow": false, "access": "rwm"});
        refused(json!({"devices": [rule]}), &words(0));
        refused(json!({"devices": [good, rule]}), &words(1));
    }
}

#[test]
#[ignore = "exercise 1: a rule that says more than it means"]
fn ex1_other_rules_are_not() {
    // So that this test fails until there is an answer.
    let bad = json!({"allow": true, "type": "a", "major": 1, "access": "r"});
    refused(json!({"devices": [bad]}), &words(0));
    for rule in [
        json!({"allow": false, "access": "rwm"}),
        json!({"allow": true, "type": "a", "access": "rwm"}),
        json!({"allow": true, "type": "a", "major": -1, "minor": -1, "access": "rwm"}),
        json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}),
        json!({"allow": true, "type": "b", "major": 8, "access": "r"}),
    ] {
        accepted(json!({"devices": [rule]}));
    }
}
