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
#[ignore = "exercise 1: a weight that the kernel cannot take"]
fn ex1_a_weight_outside_the_range_is_refused() {
    for weight in [1, 9, 1001, 65_535] {
        for field in ["weight", "leafWeight"] {
            let words = format!("is {weight}, and must be from 10 to 1000");
            refused(
                json!({"blockIO": {field: weight}}),
                &format!("linux.resources.blockIO.{field} {words}"),
            );
            let good = json!({"major": 8, "minor": 0, "weight": 10, "leafWeight": 1000});
            let bad = json!({"major": 8, "minor": 16, field: weight});
            refused(
                json!({"blockIO": {"weight": 500, "weightDevice": [good, bad]}}),
                &format!("linux.resources.blockIO.weightDevice[1].{field} {words}"),
            );
        }
    }
}

#[test]
#[ignore = "exercise 1: a weight that the kernel cannot take"]
fn ex1_a_weight_within_it_is_not() {
    // So that this test fails until there is an answer.
    refused(
        json!({"blockIO": {"weight": 5}}),
        "linux.resources.blockIO.weight is 5, and must be from 10 to 1000",
    );
    for weight in [0, 10, 500, 1000] {
        let device = json!({"major": 8, "minor": 0, "weight": weight, "leafWeight": weight});
        accepted(
            json!({"blockIO": {"weight": weight, "leafWeight": weight, "weightDevice": [device]}}),
        );
    }
    let rate = json!([{"major": 8, "minor": 0, "rate": 5}]);
    accepted(json!({"blockIO": {"throttleReadBpsDevice": rate}}));
    accepted(json!({"pids": {"limit": 1}}));
}
