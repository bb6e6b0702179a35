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

fn device(path: &str, minor: i32) -> Value {
    json!({"path": path, "type": "c", "major": 1, "minor": minor})
}

#[test]
#[ignore = "exercise 1: the same path twice"]
fn ex1_a_path_that_is_there_twice_is_refused() {
    let mut bundle = Bundle::new();
    for (other, minor) in [
        ("/dev/mine", 3),
        ("/dev/mine", 5),
        ("/dev//mine", 5),
        ("dev/mine", 5),
    ] {
        let devices = [
            device("/dev/mine", 5),
            device("/dev/fine", 5),
            device(other, minor),
        ];
        bundle.1["linux"]["devices"] = devices.to_vec().into();
        let said = bundle.call("create");
        let named = said.contains("linux.devices: ") && said.contains("mine is there twice");
        assert!(named, "/dev/mine and {other}: {said}");
    }
    assert!(
        !bundle.0.path().join("run/it").exists(),
        "there is a container"
    );
}

#[test]
#[ignore = "exercise 1: the same path twice"]
fn ex1_but_not_one_that_is_there_once() {
    let mut bundle = Bundle::new();
    let devices = [
        device("/dev/null", 3),
        device("/dev/mine", 5),
        device("/mine", 5),
    ];
    bundle.1["linux"]["devices"] = devices.to_vec().into();
    let said = bundle.call("create");
    assert!(!said.contains("twice"), "{said}");
    // The first test fails until there is something to refuse.
    bundle.1["linux"]["devices"] = json!([device("/mine", 5), device("/mine", 5)]);
    assert!(
        bundle.call("create").contains("twice"),
        "nothing is refused"
    );
}
