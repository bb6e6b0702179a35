//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};
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
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        let output = command.output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, and it succeeds. Returns what it prints.
    fn done(&self, arguments: &[&str]) -> String {
        let seen = self.see(arguments);
        let command = arguments.join(" ");
        assert_eq!(seen.code, Some(0), "{command}\nOn stderr: {}", seen.stderr);
        seen.stdout
    }

    /// Starts a container that does so when it is asked to end, and waits until it is ready.
    fn start(&self, options: &[&str], when_asked: &str) -> String {
        let script = format!("trap '{when_asked}' TERM; echo ready; while :; do sleep 0.1; done");
        let run = ["run", "-d", "--net", "isolated"];
        let command = ["sh", "-c", &script];
        let id = self.done(&[&run[..], options, &command].concat());
        let id = id.trim().to_owned();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.done(&["logs", &id]).contains("ready") {
            assert!(Instant::now() < deadline, "the container is not ready");
            sleep(Duration::from_millis(20));
        }
        id
    }

    /// How long `stop ARGUMENTS…` takes.
    fn stop(&self, arguments: &[&str]) -> f64 {
        let start = Instant::now();
        self.done(&[&["stop"], arguments].concat());
        start.elapsed().as_secs_f64()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let ids = self.see(&["ps", "-aq"]).stdout;
        let ids = ids.split_whitespace();
        self.see(&["rm", "-f"].into_iter().chain(ids).collect::<Vec<_>>());
        self.see(&["prune", "-f"]);
    }
}

#[test]
#[ignore = "exercise 1: run --stop-timeout"]
fn ex1_a_container_has_its_own_time() {
    let place = Place::new();
    let id = place.start(&["--stop-timeout", "1"], "");
    let after = place.stop(&[&id]);
    assert!(
        after >= 0.9,
        "killed after {after} s, and it had one second"
    );
    assert!(after < 5.0, "killed after {after} s instead of one second");
    // Whoever types -t knows better.
    let id = place.start(&["--stop-timeout", "60"], "");
    let after = place.stop(&["-t", "0", &id]);
    assert!(after < 5.0, "stop -t 0 has taken {after} s");
}

#[test]
#[ignore = "exercise 1: run --stop-timeout"]
fn ex1_the_time_of_each_begins_when_all_are_asked() {
    let place = Place::new();
    let one = place.start(&["--stop-timeout", "3"], "");
    let two = place.start(&["--stop-timeout=3"], "");
    let after = place.stop(&[&one, &two]);
    assert!(after >= 2.9, "killed after {after} s, and both had three");
    assert!(
        after < 5.5,
        "each had three seconds at the same time, and both together have taken {after} s"
    );
}

#[test]
#[ignore = "exercise 1: run --stop-timeout"]
fn ex1_no_limit_and_other_values() {
    let place = Place::new();
    let id = place.start(&["--stop-timeout", "-1"], "sleep 1; exit 0");
    place.stop(&[&id]);
    let listed = place.done(&["ps", "-a"]);
    assert!(listed.contains("Exited (0)"), "it was killed:\n{listed}");
    let seen = place.see(&["run", "--stop-timeout", "soon", "true"]);
    assert_eq!(seen.code, Some(125), "--stop-timeout soon: {}", seen.stderr);
}
