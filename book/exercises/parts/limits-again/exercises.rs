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

#[test]
#[ignore = "exercise 1: a reservation that cannot be met"]
fn ex1_a_reservation_above_the_limit_is_refused() {
    refused(
        json!({"memory": {"limit": 100, "reservation": 200}}),
        "linux.resources.memory.reservation is 200, and must not be above the limit, which is 100",
    );
    refused(
        json!({"memory": {"limit": 67_108_864, "reservation": 67_108_865, "swap": -1}}),
        "linux.resources.memory.reservation is 67108865, and must not be above the limit, which is 67108864",
    );
}

#[test]
#[ignore = "exercise 1: a reservation that cannot be met"]
fn ex1_one_that_can_be_met_is_not() {
    // So that this test fails until there is an answer.
    refused(
        json!({"memory": {"limit": 1, "reservation": 2}}),
        "linux.resources.memory.reservation is 2, and must not be above the limit, which is 1",
    );
    accepted(json!({"memory": {"limit": 200, "reservation": 100}}));
    accepted(json!({"memory": {"limit": 200, "reservation": 200}}));
    for none in [0, -1] {
        accepted(json!({"memory": {"limit": none, "reservation": 100}}));
        accepted(json!({"memory": {"limit": 100, "reservation": none}}));
    }
    accepted(json!({"memory": {"reservation": 100}}));
    accepted(json!({"pids": {"limit": 1}}));
}
