//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, and an archive to import.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::write(place.0.path().join("greeting"), "hello\n").unwrap();
        let mut tar = Command::new("tar");
        tar.args(["--owner", "0", "--group", "0", "-cf", "tree.tar"]);
        tar.arg("greeting").current_dir(place.0.path());
        assert!(tar.status().unwrap().success());
        place
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        let output = command
            .env("TINY_DOCKER_ROOT", self.0.path().join("state"))
            .current_dir(self.0.path())
            .output()
            .unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn import(&self, instructions: &[&str]) -> Seen {
        let mut arguments = vec!["import"];
        for instruction in instructions {
            arguments.extend(["-c", instruction]);
        }
        arguments.extend(["tree.tar", "tree"]);
        self.see(&arguments)
    }

    /// That an import with these `instructions` gives an image with the variables `env`.
    fn expect(&self, instructions: &[&str], env: &[&str]) {
        let seen = self.import(instructions);
        assert_eq!(seen.code, Some(0), "{instructions:?}: {}", seen.stderr);
        let inspected = self.see(&["inspect", "tree"]).stdout;
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        let found = &inspected[0]["Config"]["Env"];
        assert_eq!(*found, serde_json::json!(env), "{instructions:?}");
    }
}

#[test]
#[ignore = "exercise 1: modifiers"]
fn ex1_a_word_takes_the_place_of_no_value() {
    let place = Place::new();
    place.expect(&["ENV A=${B:-c}"], &["A=c"]);
    place.expect(&["ENV B=1", "ENV A=${B:-c}"], &["B=1", "A=1"]);
    // An empty value is none.
    place.expect(&["ENV B=", "ENV A=${B:-c}"], &["B=", "A=c"]);
    place.expect(&["ENV A=x${B:-}y"], &["A=xy"]);
    place.expect(&["ENV A=\"${B:-c d}\" C=${D:-e f}"], &["A=c d", "C=e f"]);
    place.expect(&["ENV A=${B:-'}'}"], &["A=}"]);
}

#[test]
#[ignore = "exercise 1: modifiers"]
fn ex1_a_word_takes_the_place_of_a_value() {
    let place = Place::new();
    place.expect(&["ENV B=1", "ENV A=x${B:+c}y"], &["B=1", "A=xcy"]);
    place.expect(&["ENV A=x${B:+c}y"], &["A=xy"]);
    place.expect(&["ENV B=", "ENV A=x${B:+c}y"], &["B=", "A=xy"]);
}

#[test]
#[ignore = "exercise 1: modifiers"]
fn ex1_a_word_may_have_variables() {
    let place = Place::new();
    place.expect(&["ENV B=1", "ENV A=${C:-$B}"], &["B=1", "A=1"]);
    place.expect(&["ENV A=${B:-${C:-d}}e"], &["A=de"]);
    place.expect(&["ENV P=/bin", "ENV P=/srv${P:+:$P}"], &["P=/srv:/bin"]);
    place.expect(&["ENV P=/srv${P:+:$P}"], &["P=/srv"]);
}

#[test]
#[ignore = "exercise 1: modifiers"]
fn ex1_everything_else_is_refused() {
    let place = Place::new();
    place.expect(&["ENV B=1", "ENV A=${B}$B"], &["B=1", "A=11"]);
    place.expect(&["ENV A=${B:-c}"], &["A=c"]);
    for wrong in [
        "ENV A=${B:-c",
        "ENV A=${B",
        "ENV A=${B:c}",
        "ENV A=${B:?c}",
        "ENV A=${B-c}",
        "ENV A=${:-c}",
    ] {
        let seen = place.import(&[wrong]);
        let refused = seen.code == Some(1) && seen.stderr.contains("cannot apply");
        assert!(
            refused,
            "{wrong} should be refused: {:?}, {}",
            seen.code, seen.stderr
        );
    }
}
