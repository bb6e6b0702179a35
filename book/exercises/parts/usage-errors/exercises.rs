//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

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
        let place = Self(TempDir::new().unwrap());
        let built = place.see("", &["run", "--net", "isolated", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end, with `defaults` in TINY_DOCKER_RUN.
    fn see(&self, defaults: &str, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        let output = command.env("TINY_DOCKER_RUN", defaults).output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// That it ends with `code`, and prints `stdout`.
    fn expect(&self, defaults: &str, arguments: &[&str], code: i32, stdout: &str) {
        let seen = self.see(defaults, arguments);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(code), stdout),
            "TINY_DOCKER_RUN='{defaults}' tiny-docker {}\nOn stderr: {}",
            arguments.join(" "),
            seen.stderr
        );
    }
}

const DEFAULTS: &str = "--net isolated  --hostname box";

#[test]
#[ignore = "exercise 1: default options of run, in TINY_DOCKER_RUN"]
fn ex1_run_has_default_options() {
    let place = Place::new();
    place.expect(DEFAULTS, &["run", "hostname"], 0, "box\n");
    place.expect(
        DEFAULTS,
        &["run", "sh", "-c", "hostname; exit 7"],
        7,
        "box\n",
    );
    // What is typed has the last word.
    let typed = ["run", "--hostname", "typed", "hostname"];
    place.expect(DEFAULTS, &typed, 0, "typed\n");
    // Nothing is as good as no variable.
    let isolated = ["run", "--net", "isolated", "hostname"];
    for nothing in ["", " "] {
        place.expect(nothing, &isolated, 0, "tiny-container\n");
    }
}

#[test]
#[ignore = "exercise 1: default options of run, in TINY_DOCKER_RUN"]
fn ex1_only_run_has_them() {
    let place = Place::new();
    place.expect(
        DEFAULTS,
        &["ps", "-a", "--help"],
        0,
        &place.see("", &["ps", "-a", "--help"]).stdout,
    );
    let ps = place.see(DEFAULTS, &["ps"]);
    assert_eq!(
        ps.code,
        Some(0),
        "ps does not have these options: {}",
        ps.stderr
    );
    // After the command, `run` is a word like any other.
    let words = ["run", "echo", "run", "twice"];
    place.expect(DEFAULTS, &words, 0, "run twice\n");
    // The option of all commands may come before it.
    let root = place.0.path().to_str().unwrap();
    let both = format!("--root={root}");
    place.expect(DEFAULTS, &["--root", root, "run", "hostname"], 0, "box\n");
    place.expect(DEFAULTS, &[&both, "run", "hostname"], 0, "box\n");
}

#[test]
#[ignore = "exercise 1: default options of run, in TINY_DOCKER_RUN"]
fn ex1_a_mistake_in_it_is_a_usage_error() {
    let place = Place::new();
    place.expect(DEFAULTS, &["run", "hostname"], 0, "box\n");
    let seen = place.see("--no-such-option", &["run", "true"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert!(
        seen.stderr.contains("--no-such-option"),
        "the error should name the option: {}",
        seen.stderr
    );
}
