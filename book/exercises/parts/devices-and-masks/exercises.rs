//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let built = place.run(&[], "true");
        assert!(built.status.success(), "no container starts: {built:?}");
        place
    }

    /// `tiny-docker run OPTIONS… sh -c SCRIPT`, without a network.
    fn run(&self, options: &[&str], script: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(["run", "--net", "isolated"]).args(options);
        command.args(["sh", "-c", script]).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        let seen = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert!(
            !stderr.contains("unexpected argument"),
            "{options:?} is not understood yet:\n{stderr}"
        );
        seen
    }

    /// The container prints this.
    fn assert_prints(&self, options: &[&str], script: &str, expected: &str) {
        let seen = self.run(options, script);
        let stdout = String::from_utf8_lossy(&seen.stdout);
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert_eq!(
            stdout, expected,
            "{options:?}: {script}. On stderr: {stderr}"
        );
    }

    /// The run is refused: nothing has run, and the exit code is 125.
    fn assert_refused(&self, device: &str) {
        let seen = self.run(&["--device", device], "echo started");
        let stderr = String::from_utf8_lossy(&seen.stderr);
        let why = format!("--device {device} should be refused. On stderr: {stderr}");
        assert_eq!(String::from_utf8_lossy(&seen.stdout), "", "{why}");
        assert_eq!(seen.status.code(), Some(125), "{why}");
        assert!(!stderr.is_empty(), "{why}");
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_device_of_the_host() {
    let place = Place::new();
    let read = "head -c 4 /dev/nothing | wc -c";
    let option = ["--device", "/dev/zero:/dev/nothing"];
    place.assert_prints(&option, read, "4\n");
    place.assert_prints(&[], "ls /dev/nothing 2>&1 | grep -c 'No such file'", "1\n");

    // As often as you like.
    let two = [&option[..], &["--device", "/dev/full:/dev/never"]].concat();
    let write =
        "head -c 1 /dev/zero >/dev/never 2>/dev/null || echo full; head -c 4 /dev/nothing | wc -c";
    place.assert_prints(&two, write, "full\n4\n");

    // The container can use the device, and not change the host's node.
    let before = fs::metadata("/dev/zero").unwrap();
    let change = "chmod 666 /dev/nothing 2>/dev/null || echo refused";
    place.assert_prints(&option, change, "refused\n");
    let after = fs::metadata("/dev/zero").unwrap();
    assert_eq!(
        (before.ctime(), before.ctime_nsec()),
        (after.ctime(), after.ctime_nsec()),
        "the host's node has changed"
    );

    let file = place.0.path().join("file");
    fs::write(&file, "a file").unwrap();
    let paths = [file.to_str().unwrap(), "/etc", "/no/such"];
    for path in paths {
        place.assert_refused(&format!("{path}:/dev/nothing"));
    }
    for name in [
        "/etc/nothing",
        "nothing",
        "/dev/",
        "/dev/..",
        "/dev/a/b",
        "/dev/null",
    ] {
        place.assert_refused(&format!("/dev/zero:{name}"));
    }
}
