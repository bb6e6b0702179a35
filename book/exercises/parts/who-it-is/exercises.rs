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
#[ignore = "exercise 1: what could not work"]
fn ex1_what_is_effective_must_be_permitted() {
    let mut bundle = Bundle::new();
    let expected = "process.capabilities.effective: CAP_KILL is not permitted\n";
    for permitted in [json!(["CAP_CHOWN"]), json!([]), Value::Null] {
        bundle.1["process"]["capabilities"] = json!({
            "bounding": ["CAP_KILL", "CAP_CHOWN"],
            "effective": ["CAP_KILL"],
        });
        if !permitted.is_null() {
            bundle.1["process"]["capabilities"]["permitted"] = permitted.clone();
        }
        let said = bundle.call("create");
        assert!(said.ends_with(expected), "permitted: {permitted}: {said}");
    }
    assert!(
        !bundle.0.path().join("run/it").exists(),
        "there is a container"
    );
}

#[test]
#[ignore = "exercise 1: what could not work"]
fn ex1_and_nothing_else_is_refused() {
    let mut bundle = Bundle::new();
    let kill = json!(["CAP_KILL"]);
    for sets in [
        json!({"effective": kill, "permitted": ["CAP_KILL", "CAP_CHOWN"], "bounding": kill}),
        json!({"permitted": kill, "ambient": kill}),
        json!({"effective": [], "ambient": kill, "inheritable": kill}),
        json!({}),
    ] {
        bundle.1["process"]["capabilities"] = sets.clone();
        let said = bundle.call("create");
        assert!(!said.contains("is not permitted"), "{sets}: {said}");
    }
    // The first test fails until there is something to refuse.
    bundle.1["process"]["capabilities"] = json!({"effective": kill, "permitted": ["CAP_CHOWN"]});
    assert!(
        bundle.call("create").contains("is not permitted"),
        "nothing is refused"
    );
}
