//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// `tiny-docker run OPTIONS… COMMAND…`, without a network.
    fn run(&self, options: &[&str], command: &[&str]) -> Output {
        let mut run = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        run.args(["run", "--rm", "--net", "isolated"]).args(options);
        run.args(command).stdin(Stdio::null());
        run.env("TINY_DOCKER_ROOT", self.0.path());
        run.env("CALLERS", "theirs").output().unwrap()
    }

    /// The variables of a container, sorted, without PATH.
    fn variables(&self, options: &[&str]) -> Vec<String> {
        let seen = self.run(options, &["/bin/env"]);
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert!(seen.status.success(), "{options:?}: {stderr}");
        let stdout = String::from_utf8_lossy(&seen.stdout);
        let mut lines: Vec<_> = stdout.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.starts_with("PATH="));
        lines.sort();
        lines
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_variable_is_taken_away() {
    let place = Place::new();
    let all = ["HOME=/root", "HOSTNAME=tiny-container", "TERM=xterm"];
    assert_eq!(
        place.variables(&[]),
        all,
        "without the option, nothing changes"
    );
    assert_eq!(place.variables(&["--unsetenv", "TERM"]), all[..2]);
    assert_eq!(
        place.variables(&["--unsetenv", "TERM", "--unsetenv=HOME"]),
        all[1..2],
        "twice"
    );
    assert_eq!(
        place.variables(&["--unsetenv", "NOBODYS"]),
        all,
        "one that is not there"
    );
    let without_path = place.run(&["--unsetenv", "PATH"], &["/bin/env"]);
    let without_path = String::from_utf8_lossy(&without_path.stdout).into_owned();
    assert!(
        without_path.contains("HOME=") && !without_path.contains("PATH="),
        "without PATH, /bin/env still starts: {without_path:?}"
    );

    // The last word.
    for options in [
        ["--unsetenv", "TERM", "-e", "TERM=dumb"],
        ["-e", "TERM=dumb", "--unsetenv", "TERM"],
    ] {
        let expected = [all[0], all[1], "TERM=dumb"];
        assert_eq!(place.variables(&options), expected, "{options:?}");
    }
    let file = place.0.path().join("variables");
    fs::write(&file, "HOME=/tmp\nCALLERS\n").unwrap();
    let file = format!("--env-file={}", file.display());
    assert_eq!(
        place.variables(&[&file, "--unsetenv", "HOME", "--unsetenv", "CALLERS"]),
        ["CALLERS=theirs", "HOME=/tmp", all[1], all[2]],
        "a file has it, too"
    );

    for name in ["", "A=1", "="] {
        let seen = place.run(&["--unsetenv", name], &["echo", "started"]);
        assert_eq!(
            (seen.status.code(), seen.stdout.as_slice()),
            (Some(125), &b""[..]),
            "--unsetenv {name:?} is refused"
        );
    }
}
