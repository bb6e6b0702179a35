//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs python3, for the registry of the book.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A state directory with an image, under several names.
struct Place {
    directory: TempDir,
    server: Child,
}

impl Place {
    /// The image is called `names`. None, aloud, without python3.
    fn new(names: &[&str]) -> Option<Self> {
        if Command::new("python3").arg("--version").output().is_err() {
            println!("skipped: needs python3, for a registry");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let site = directory.path().join("site");
        fs::create_dir(&site).unwrap();
        let layer = directory.path().join("layer.tar");
        let mut tar = Command::new("tar");
        let packed = tar.arg("-cf").arg(&layer).arg("-C").arg(&site).arg(".");
        assert!(packed.status().unwrap().success());
        let mut script = Command::new(book("an-image"));
        let made = script.arg(&site).arg("it:1").arg(&layer).status().unwrap();
        assert!(made.success());
        let mut server = Command::new(book("a-registry"));
        server
            .arg(&site)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let port = line.split_whitespace().last().unwrap_or_default();
        let pulled = format!("127.0.0.1:{port}/it:1");
        let place = Self { directory, server };
        place.done(&["pull", "-q", &pulled]);
        for name in names {
            place.done(&["tag", &pulled, name]);
        }
        place.done(&["rmi", &pulled]);
        Some(place)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.directory.path().join("state"));
        command.env("DOCKER_CONFIG", self.directory.path());
        command
    }

    fn done(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", arguments.join(" "));
    }

    /// What `run --pull never` says about a name that it does not know, after the first line.
    fn hint(&self, name: &str) -> String {
        let run = ["run", "--net", "isolated", "--pull", "never", name];
        let output = self.command(&run).output().unwrap();
        assert!(!output.status.success(), "{name} runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let (first, hint) = said.split_once('\n').unwrap_or((&said, ""));
        let problem = format!("tiny-docker: cannot run {name}: there is no image ");
        assert!(first.starts_with(&problem), "run {name} said {first}");
        hint.trim_end().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A script beside the patches.
fn book(script: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let scripts = here.map(|above| above.join("book/parts").join(script));
    scripts.into_iter().find(|script| script.exists()).unwrap()
}

#[test]
#[ignore = "exercise 1: there is another one"]
fn ex1_other_tags_are_named() {
    let Some(place) = Place::new(&["web:2", "web:1", "one:1"]) else {
        return;
    };
    assert_eq!(place.hint("web:3"), "hint: there are web:1, web:2");
    assert_eq!(place.hint("web"), "hint: there are web:1, web:2");
    assert_eq!(
        place.hint("docker.io/library/web:3"),
        "hint: there are web:1, web:2"
    );
    assert_eq!(place.hint("one:2"), "hint: there is one:1");
    assert_eq!(place.hint("nobody:1"), "");
    let hint = place.hint("nobody");
    let usual = "hint: run takes an image, or a program";
    assert!(hint.starts_with(usual), "for nobody, it said {hint}");
}

#[test]
#[ignore = "exercise 1: there is another one"]
fn ex1_another_registry_has_other_images() {
    let Some(place) = Place::new(&["localhost:5000/library/web:1", "mine/web:1", "web:1"]) else {
        return;
    };
    assert_eq!(place.hint("web:2"), "hint: there is web:1");
    assert_eq!(
        place.hint("localhost:5000/library/web:2"),
        "hint: there is localhost:5000/library/web:1"
    );
    assert_eq!(place.hint("localhost:5000/web:1"), "");
}

#[test]
#[ignore = "exercise 1: there is another one"]
fn ex1_only_some_of_many() {
    let Some(place) = Place::new(&["a:6", "a:5", "a:4", "a:3", "a:2", "a:1"]) else {
        return;
    };
    assert_eq!(
        place.hint("a:7"),
        "hint: there are a:1, a:2, a:3, a:4, a:5, …"
    );
}
