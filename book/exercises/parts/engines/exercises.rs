//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        symlink(
            env!("CARGO_BIN_EXE_tiny-docker"),
            place.0.path().join("tiny-runc"),
        )
        .unwrap();
        place
    }

    /// Runs `tiny-runc ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(self.0.path().join("tiny-runc"));
        command
            .arg("--root")
            .arg(self.0.path().join("state"))
            .args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What is refused of a config.json with this `linux`.
    fn refused(&self, linux: Value) -> Seen {
        let file = self.0.path().join("config.json");
        let config = json!({"ociVersion": "1.2.1", "root": {"path": "rootfs"}, "linux": linux});
        fs::write(&file, config.to_string()).unwrap();
        self.see(&["features", "--refused", file.to_str().unwrap()])
    }

    fn check(&self, linux: Value, expected: &str) {
        let seen = self.refused(linux.clone());
        assert_eq!(seen.stderr, "", "linux: {linux}");
        assert_eq!(seen.stdout, expected, "linux: {linux}");
        let code = i32::from(!expected.is_empty());
        assert_eq!(seen.code, Some(code), "exit code for linux: {linux}");
    }
}

#[test]
#[ignore = "exercise 1: all at once"]
fn ex1_each_field_that_is_refused_is_printed() {
    let place = Place::new();
    let (rdt, devices) = (json!({"closID": "a"}), json!({"eth0": {"name": "b"}}));
    place.check(json!({"intelRdt": rdt}), "linux.intelRdt\n");
    place.check(json!({"netDevices": devices}), "linux.netDevices\n");
    place.check(
        json!({"netDevices": devices, "intelRdt": rdt}),
        "linux.intelRdt\nlinux.netDevices\n",
    );
}

#[test]
#[ignore = "exercise 1: all at once"]
fn ex1_what_asks_for_nothing_is_not_refused() {
    let place = Place::new();
    place.check(json!({}), "");
    place.check(json!({"intelRdt": {}, "netDevices": null}), "");
    place.check(json!({"namespaces": [{"type": "pid"}]}), "");
}

#[test]
#[ignore = "exercise 1: all at once"]
fn ex1_the_rest_is_as_before() {
    let place = Place::new();
    let seen = place.see(&["features"]);
    let features: Value = serde_json::from_str(&seen.stdout).expect("features prints JSON");
    assert_eq!(features["linux"]["intelRdt"]["enabled"], false);
    let missing = place.see(&["features", "--refused", "/no/such/file"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(1), ""));
    assert!(
        missing.stderr.contains("/no/such/file"),
        "{}",
        missing.stderr
    );
    // `run` still names the first one.
    place.refused(json!({"intelRdt": {"closID": "a"}}));
    let bundle = place.0.path().to_str().unwrap();
    let run = place.see(&["run", "--bundle", bundle, "refused"]);
    let said = "linux.intelRdt is not supported";
    assert!(run.stderr.contains(said), "{}", run.stderr);
}
