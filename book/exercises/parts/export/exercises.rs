//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end, and it succeeds.
    fn done(&self, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        let output = command.env("TINY_DOCKER_ROOT", self.0.path().join("state"));
        let output = output.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", arguments.join(" "));
    }

    /// The archive of a container that has done this.
    fn export(&self, name: &str, script: &str) -> PathBuf {
        let archive = self.0.path().join(format!("{name}.tar"));
        let run = ["run", "--net", "isolated", "--name", name];
        self.done(&[&run[..], &["sh", "-c", script]].concat());
        self.done(&["export", "-o", archive.to_str().unwrap(), name]);
        self.done(&["rm", name]);
        archive
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.done(&["prune", "-f"]);
    }
}

/// What is in an archive, as tar lists it.
fn list(archive: &PathBuf, options: &[&str]) -> Vec<String> {
    let mut tar = Command::new("tar");
    tar.args(["--quoting-style=literal"])
        .args(options)
        .arg("-f")
        .arg(archive);
    let listed = tar.output().unwrap();
    assert!(listed.status.success(), "tar does not like the archive");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    text.lines().map(str::to_owned).collect()
}

const FILES: [&str; 8] = ["b", "a", "a.b", "a-b", "B", "é", "z", "10"];

#[test]
#[ignore = "exercise 1: in order"]
fn ex1_names_are_sorted() {
    let place = Place::new();
    let make = |name: &str| format!("mkdir /srv/{name}; echo >/srv/{name}/y; echo >/srv/{name}/X;");
    let script: String = FILES.iter().map(|name| make(name)).collect();
    let archive = place.export("one", &format!("mkdir /srv; {script}"));
    let names = list(&archive, &["-t"]);
    assert!(names.iter().any(|name| name == "srv/a-b/y"), "{names:?}");
    let path = |name: &String| -> Vec<String> {
        let name = name.trim_start_matches("./").trim_end_matches('/');
        name.split('/').map(str::to_owned).collect()
    };
    let (first, rest) = names.split_first().unwrap();
    assert_eq!(first, "./");
    for pair in rest.windows(2) {
        assert!(
            path(&pair[0]) < path(&pair[1]),
            "{} comes before {}",
            pair[0],
            pair[1]
        );
    }
}

#[test]
#[ignore = "exercise 1: in order"]
fn ex1_the_same_files_come_in_the_same_order() {
    let place = Place::new();
    let all = |names: &[&str]| {
        let files = names.iter().map(|name| format!("echo >/srv/{name}; "));
        format!("mkdir /srv; {}", files.collect::<String>())
    };
    let mut names: Vec<_> = ('a'..='z').map(String::from).collect();
    names.extend((0..100).map(|n| n.to_string()));
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    let one = place.export("one", &all(&names));
    names.reverse();
    let two = place.export("two", &all(&names));
    assert_eq!(list(&one, &["-t"]), list(&two, &["-t"]));
}

#[test]
#[ignore = "exercise 1: in order"]
fn ex1_the_first_name_has_the_content() {
    let place = Place::new();
    let script = "mkdir /srv; echo content >/srv/m; ln /srv/m /srv/a; ln /srv/m /srv/Z";
    let archive = place.export("one", script);
    let rows = list(&archive, &["-tv"]);
    let row = |name: &str| {
        let found = rows.iter().find(|row| row.contains(&format!(" {name}")));
        found.unwrap_or_else(|| panic!("no {name}: {rows:?}"))
    };
    assert!(row("srv/Z").starts_with('-'), "{}", row("srv/Z"));
    for other in ["srv/a", "srv/m"] {
        let link = format!(" {other} link to srv/Z");
        assert!(row(other).contains(&link), "{}", row(other));
    }
}
