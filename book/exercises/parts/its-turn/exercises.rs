//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A bundle without a root filesystem: what is refused here is refused before that is needed.
struct Bundle(TempDir, Value);

impl Bundle {
    fn new() -> Self {
        let place = TempDir::new().unwrap();
        symlink(
            env!("CARGO_BIN_EXE_tiny-docker"),
            place.path().join("tiny-runc"),
        )
        .unwrap();
        let mut bundle = Self(place, Value::Null);
        bundle.call("spec");
        let written = fs::read(bundle.0.path().join("config.json")).unwrap();
        bundle.1 = serde_json::from_slice(&written).unwrap();
        bundle
    }

    /// What `tiny-runc COMMAND` says to the configuration as it is now.
    fn call(&self, command: &str) -> String {
        let place = self.0.path();
        let mut call = Command::new(place.join("tiny-runc"));
        call.arg("--root").arg(place.join("run")).arg(command);
        call.current_dir(place).stdin(Stdio::null());
        if command != "spec" {
            fs::write(place.join("config.json"), self.1.to_string()).unwrap();
            call.arg("it");
        }
        let output = call.output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

#[test]
#[ignore = "exercise 1: no priority"]
fn ex1_only_two_policies_have_a_priority() {
    let mut bundle = Bundle::new();
    for policy in ["SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE", "SCHED_DEADLINE"] {
        bundle.1["process"]["scheduler"] = json!({
            "policy": policy, "priority": 1, "runtime": 10_000, "deadline": 20_000,
        });
        let said = bundle.call("create");
        let expected = format!("process.scheduler.priority: {policy} has none\n");
        assert!(said.ends_with(&expected), "{policy}: {said}");
    }
}

#[test]
#[ignore = "exercise 1: no priority"]
fn ex1_and_those_need_one() {
    let mut bundle = Bundle::new();
    for policy in ["SCHED_FIFO", "SCHED_RR"] {
        for priority in [Some(0), Some(100), None] {
            bundle.1["process"]["scheduler"] = json!({"policy": policy});
            if let Some(priority) = priority {
                bundle.1["process"]["scheduler"]["priority"] = priority.into();
            }
            let said = bundle.call("create");
            let expected = format!("process.scheduler.priority: {policy} needs 1 to 99\n");
            assert!(said.ends_with(&expected), "{policy}, {priority:?}: {said}");
        }
    }
}

#[test]
#[ignore = "exercise 1: no priority"]
fn ex1_what_can_be_is_not_refused() {
    let mut bundle = Bundle::new();
    for scheduler in [
        json!({"policy": "SCHED_FIFO", "priority": 1}),
        json!({"policy": "SCHED_RR", "priority": 99}),
        json!({"policy": "SCHED_BATCH", "nice": 3}),
        json!({"policy": "SCHED_OTHER", "priority": 0}),
        json!({"policy": "SCHED_DEADLINE", "runtime": 10_000, "deadline": 20_000}),
    ] {
        bundle.1["process"]["scheduler"] = scheduler.clone();
        let said = bundle.call("create");
        assert!(
            !said.contains("process.scheduler.priority"),
            "{scheduler}: {said}"
        );
    }
    // The first test fails until there is something to refuse.
    bundle.1["process"]["scheduler"] = json!({"policy": "SCHED_BATCH", "priority": 3});
    assert!(
        bundle.call("create").contains("has none"),
        "nothing is refused"
    );
}
