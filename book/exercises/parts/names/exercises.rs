//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A state directory for one test. In the end, nothing runs there any more.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let built = place.run(&["--rm", "true"]);
        assert!(built.status.success(), "no container starts: {built:?}");
        place
    }

    fn see(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        command.output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.see(&[&["run", "--net", "isolated"], arguments].concat())
    }

    /// The id of a container in the background.
    fn start(&self, options: &[&str]) -> String {
        let seen = self.run(&[&["-d"], options, &["sleep", "1000"]].concat());
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert!(seen.status.success(), "{options:?}: {stderr}");
        let stdout = String::from_utf8(seen.stdout).unwrap();
        assert_eq!(
            stdout.lines().count(),
            1,
            "only the new id is printed: {stdout}"
        );
        assert_eq!(stderr, "", "nothing is said about the old one");
        stdout.trim().to_owned()
    }

    fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join("containers"));
        let names = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name());
        let mut ids: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        ids.sort();
        ids
    }

    fn web(&self) -> String {
        let link = fs::read_link(self.0.path().join("names/web"));
        link.map_or_else(|_| String::new(), |id| id.display().to_string())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for id in self.ids() {
            self.see(&["rm", "-f", &id]);
        }
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_container_takes_the_place_of_another() {
    let place = Place::new();
    let replace = ["--replace", "--name", "web"];
    let first = place.start(&replace);
    assert_eq!(
        place.web(),
        first,
        "if nobody has the name, --replace changes nothing"
    );
    let second = place.start(&replace);
    assert_eq!(
        (place.ids(), place.web()),
        (vec![second.clone()], second.clone()),
        "a running container is removed, and the new one has its name"
    );

    let seen = place.run(&["--name", "web", "true"]);
    assert_eq!(seen.status.code(), Some(125), "without --replace: {seen:?}");
    assert!(
        place.see(&["stop", "-t", "0", "web"]).status.success(),
        "the second one still runs"
    );
    let third = place.start(&replace);
    assert_eq!(
        place.ids(),
        [third.as_str()],
        "one that has ended is removed, too"
    );

    // A name that is the beginning of an id.
    let prefix = &third[..5];
    let other = place.start(&["--replace", "--name", prefix]);
    let mut both = [third.clone(), other];
    both.sort();
    assert_eq!(place.ids(), both, "an id that begins with it is not meant");
    assert_eq!(place.web(), third);

    let seen = place.run(&["--replace", "true"]);
    assert!(!seen.status.success(), "without --name: {seen:?}");
    assert_eq!(place.ids(), both);
}
