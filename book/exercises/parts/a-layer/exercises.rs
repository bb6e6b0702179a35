//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::BTreeSet;
use std::fs;
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

    fn see(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        command.output().unwrap()
    }

    /// `tiny-docker run OPTIONS… sh -c SCRIPT`, without a network.
    fn run(&self, options: &[&str], script: &str) -> Output {
        let seen = self.see(
            &[
                &["run", "--net", "isolated"],
                options,
                &["sh", "-c", script],
            ]
            .concat(),
        );
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert!(
            !stderr.contains("unexpected argument"),
            "{options:?} is not understood yet:\n{stderr}"
        );
        seen
    }

    fn ids(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.0.path().join("containers")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    /// The id of a container that has run `script`, and ended.
    fn leave(&self, options: &[&str], script: &str) -> String {
        let before = self.ids();
        let seen = self.run(options, script);
        assert!(seen.status.success(), "{options:?} {script}: {seen:?}");
        self.ids().difference(&before).next().unwrap().clone()
    }
}

/// The container prints this.
fn assert_prints(seen: &Output, expected: &str, what: &str) {
    let stdout = String::from_utf8_lossy(&seen.stdout);
    let stderr = String::from_utf8_lossy(&seen.stderr);
    assert_eq!(stdout, expected, "{what}. On stderr: {stderr}");
}

/// The run is refused, in one line (and perhaps a hint), with exit code 125.
fn assert_refused(seen: &Output, word: &str) {
    let stderr = String::from_utf8_lossy(&seen.stderr);
    let lines: Vec<_> = stderr
        .lines()
        .filter(|l| !l.starts_with("hint: "))
        .collect();
    assert_eq!(
        seen.status.code(),
        Some(125),
        "the exit code; on stderr: {stderr}"
    );
    assert!(
        lines.len() == 1 && lines[0].contains(word),
        "one line, with {word} in it, should say what is wrong, and stderr is:\n{stderr}"
    );
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_container_stands_on_another() {
    let place = Place::new();
    let first = place.leave(&[], "echo 1 >/one; echo 1 >/both; rm /etc/group");
    let seen = place.run(&["--on", &first], "cat /one /both; ls -d /etc/group");
    assert_prints(
        &seen,
        "1\n1\n",
        "on the first, its files are there and one is deleted",
    );

    // A prefix of the id will do, as everywhere.
    let second = place.leave(&["--on", &first[..8]], "echo 2 >/both; echo 2 >/two");
    let seen = place.run(&["--on", &second], "cat /one /both /two; ls -d /etc/group");
    assert_prints(
        &seen,
        "1\n2\n2\n",
        "on the second, there are the files of both, the newer ones on top",
    );
    let seen = place.run(&["--on", &first], "cat /both; ls /two");
    assert_prints(&seen, "1\n", "the layer of the first is what it was");
    let seen = place.run(&[], "ls -d /etc/group; ls /one");
    assert_prints(&seen, "/etc/group\n", "without --on, nothing has changed");

    assert_refused(&place.run(&["--on", "nope"], "true"), "nope");
    let running = place.see(&["run", "-d", "--net", "isolated", "sleep", "1000"]);
    let running = String::from_utf8(running.stdout).unwrap();
    let seen = place.run(&["--on", running.trim()], "true");
    place.see(&["rm", "-f", running.trim()]);
    assert_refused(&seen, running.trim());
    let seen = place.run(&["--on", &first, "--rootfs", "/"], "true");
    assert!(
        !seen.status.success(),
        "--on and --rootfs exclude each other"
    );
}
