//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, and an archive with three images: a:1, b, and c:1, which is also called c:2.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        for name in ["a", "b", "c"] {
            let file = format!("{name}.txt");
            fs::write(place.0.path().join(&file), name).unwrap();
            let mut tar = Command::new("tar");
            tar.args(["--owner", "0", "--group", "0", "-cf", "tree.tar", &file]);
            assert!(tar.current_dir(place.0.path()).status().unwrap().success());
            let image = if name == "b" {
                "b:latest".to_owned()
            } else {
                format!("{name}:1")
            };
            place.done(&["import", "tree.tar", &image]);
        }
        place.done(&["tag", "c:1", "c:2"]);
        place.done(&["save", "-o", "images.tar", "a:1", "b", "c:1", "c:2"]);
        place.forget();
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

    fn done(&self, arguments: &[&str]) -> String {
        let seen = self.see(arguments);
        assert_eq!(seen.code, Some(0), "{arguments:?}: {}", seen.stderr);
        seen.stdout
    }

    /// The images in the store, sorted.
    fn images(&self) -> Vec<String> {
        let table = self.done(&["images"]);
        let name = |row: &str| {
            let mut cells = row.split_whitespace();
            format!("{}:{}", cells.next().unwrap(), cells.next().unwrap())
        };
        let mut names: Vec<_> = table.lines().skip(1).map(name).collect();
        names.sort();
        names
    }

    /// Removes all images.
    fn forget(&self) {
        for name in self.images() {
            self.done(&["rmi", &name]);
        }
    }

    /// That `load` of the archive with these `names` loads the images `loaded`.
    fn expect(&self, names: &[&str], loaded: &[&str]) {
        let arguments = [&["load", "-i", "images.tar"], names].concat();
        let said = self.done(&arguments);
        assert_eq!(self.images(), loaded, "{arguments:?}");
        let lines = said.lines().filter(|line| line.starts_with("Loaded image"));
        assert_eq!(lines.count(), loaded.len(), "{arguments:?} says {said}");
        self.forget();
    }
}

#[test]
#[ignore = "exercise 1: load only some"]
fn ex1_those_that_are_named_are_loaded() {
    let place = Place::new();
    place.expect(&["a:1"], &["a:1"]);
    place.expect(&["b"], &["b:latest"]);
    place.expect(&["docker.io/library/a:1", "b:latest"], &["a:1", "b:latest"]);
}

#[test]
#[ignore = "exercise 1: load only some"]
fn ex1_an_image_gets_only_the_names_that_were_asked_for() {
    let place = Place::new();
    place.expect(&["c:2"], &["c:2"]);
    place.expect(&["c:2", "c:1"], &["c:1", "c:2"]);
}

#[test]
#[ignore = "exercise 1: load only some"]
fn ex1_without_names_everything_is_loaded() {
    let place = Place::new();
    place.expect(&["a:1"], &["a:1"]);
    place.expect(&[], &["a:1", "b:latest", "c:1", "c:2"]);
}

#[test]
#[ignore = "exercise 1: load only some"]
fn ex1_all_of_them_or_none() {
    let place = Place::new();
    place.expect(&["a:1"], &["a:1"]);
    for wrong in ["a:2", "a", "d:1"] {
        let seen = place.see(&["load", "-i", "images.tar", "a:1", wrong]);
        let says = seen.code == Some(1) && seen.stderr.contains(wrong);
        assert!(says, "{wrong}: {:?}, {}", seen.code, seen.stderr);
        assert_eq!(place.images(), [""; 0], "{wrong} is not in the archive");
    }
}
