//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    /// With a container in the background that says "first", and then nothing.
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let run = ["run", "-d", "--net", "isolated", "--name", "it"];
        let script = ["sh", "-c", "echo first; exec sleep 1000"];
        let seen = place.see(&[&run[..], &script].concat());
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        place.wait_for("first\n");
        place
    }

    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        command
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let output = self.tiny_docker(arguments).output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Waits until the log is this.
    fn wait_for(&self, log: &str) {
        let start = Instant::now();
        loop {
            let seen = self.see(&["logs", "it"]).stdout;
            if seen == log {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the log should be {log:?}, and is {seen:?}"
            );
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.see(&["rm", "-f", "it"]);
    }
}

#[test]
#[ignore = "exercise 1: exec -d --log"]
fn ex1_its_output_goes_to_the_containers_log() {
    let place = Place::new();
    let both = ["sh", "-c", "echo out; echo err >&2; cat"];
    let seen = place.see(&[&["exec", "-d", "--log", "it"][..], &both].concat());
    assert_eq!(
        (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
        (Some(0), "", "")
    );
    place.wait_for("first\nout\nerr\n");
    // Both can go on writing, and neither overwrites the other.
    place.see(&["exec", "-d", "--log", "it", "echo", "more"]);
    place.wait_for("first\nout\nerr\nmore\n");
    let first = ["exec", "it", "sh", "-c", "echo first again >>/proc/1/fd/1"];
    place.see(&first);
    place.wait_for("first\nout\nerr\nmore\nfirst again\n");
}

#[test]
#[ignore = "exercise 1: exec -d --log"]
fn ex1_without_it_nothing_changes() {
    let place = Place::new();
    place.see(&["exec", "-d", "it", "echo", "lost"]);
    place.see(&["exec", "-d", "--log", "it", "echo", "kept"]);
    place.wait_for("first\nkept\n");
    for wrong in [&["--log"][..], &["--log", "-d", "-t"]] {
        let seen = place.see(&[&["exec"], wrong, &["it", "true"]].concat());
        let refused = seen.stderr.starts_with("error:") && seen.code != Some(0);
        assert!(
            refused,
            "{wrong:?} should be a usage error: {}",
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise 1: exec -d --log"]
fn ex1_a_container_in_the_foreground_has_no_log() {
    let place = Place::new();
    let run = [
        "run", "--net", "isolated", "--name", "front", "sleep", "1000",
    ];
    let mut run: Child = place.tiny_docker(&run).spawn().unwrap();
    let start = Instant::now();
    while place.see(&["exec", "front", "true"]).code != Some(0) {
        assert!(start.elapsed() < Duration::from_secs(20), "it never starts");
    }
    let seen = place.see(&["exec", "-d", "--log", "front", "true"]);
    place.see(&["rm", "-f", "front"]);
    run.wait().unwrap();
    assert_eq!(seen.code, Some(1), "{}", seen.stderr);
    assert!(seen.stderr.contains("log"), "{}", seen.stderr);
}
