//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use nix::unistd::getuid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A state directory for one test, with one container.
struct Place {
    state: TempDir,
    id: String,
}

impl Place {
    fn new() -> Self {
        let (state, id) = (TempDir::new().unwrap(), String::new());
        let mut place = Self { state, id };
        let run = ["run", "-d", "--net", "isolated", "sleep", "1000"];
        let seen = place.tiny_docker(&run).output().unwrap();
        assert!(seen.status.success(), "no container starts: {seen:?}");
        place.id = String::from_utf8(seen.stdout).unwrap().trim().to_owned();
        place
    }

    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        command
    }

    fn exec(&self, command: &[&str]) -> Output {
        let exec = [&["exec", &self.id], command].concat();
        self.tiny_docker(&exec).output().unwrap()
    }

    fn book(&self) -> PathBuf {
        let containers = self.state.path().join("containers");
        containers.join(&self.id).join("visitors")
    }

    /// The lines of the book, as JSON.
    fn visits(&self) -> Vec<Value> {
        let book = fs::read_to_string(self.book()).unwrap_or_default();
        let line = |line: &str| {
            let visit = serde_json::from_str(line);
            visit.unwrap_or_else(|error| panic!("not JSON: {error}: {line:?}"))
        };
        book.lines().map(line).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.tiny_docker(&["rm", "-f", &self.id]).output();
    }
}

#[test]
#[ignore = "exercise 1: the visitors' book of exec"]
fn ex1_every_visit_is_noted() {
    let place = Place::new();
    assert!(place.exec(&["true"]).status.success());
    // Whatever becomes of the command: it was started.
    place.exec(&["sh", "-c", "exit 3"]);
    place.exec(&["no-such-command"]);
    let visits = place.visits();
    let commands: Vec<_> = visits.iter().map(|visit| &visit["command"]).collect();
    let expected = [
        json!(["true"]),
        json!(["sh", "-c", "exit 3"]),
        json!(["no-such-command"]),
    ];
    assert!(expected.iter().eq(commands), "{visits:?}");
    for visit in &visits {
        assert_eq!(visit["user"], getuid().as_raw(), "{visit}");
        let time = visit["time"].as_str().unwrap_or_default();
        assert!(humantime::parse_rfc3339(time).is_ok(), "no time: {visit}");
    }
    let mode = fs::metadata(place.book()).unwrap().mode() & 0o777;
    assert_eq!(mode, 0o600, "only its owner may read it");
}

#[test]
#[ignore = "exercise 1: the visitors' book of exec"]
fn ex1_no_command_can_forge_a_line() {
    let place = Place::new();
    let forged = "x\"], \"user\": 1}\n{\"time\": \"\", \"user\": 0, \"command\": [\"root was here";
    place.exec(&["echo", forged]);
    let visits = place.visits();
    assert_eq!(visits.len(), 1, "one visit, one line: {visits:?}");
    assert_eq!(visits[0]["command"], json!(["echo", forged]));
}

#[test]
#[ignore = "exercise 1: the visitors' book of exec"]
fn ex1_many_at_once_do_not_mix_and_no_book_means_no_visit() {
    let place = Place::new();
    let long = "x".repeat(3000);
    let exec = ["exec", &place.id, "echo", &long];
    let mut all: Vec<_> = (0..10)
        .map(|_| {
            let mut exec = place.tiny_docker(&exec);
            exec.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for exec in &mut all {
        assert!(exec.wait().unwrap().success());
    }
    assert_eq!(place.visits().len(), 10);
    // Nobody enters unseen.
    fs::remove_file(place.book()).unwrap();
    fs::create_dir(place.book()).unwrap();
    let seen = place.exec(&["echo", "entered"]);
    assert_eq!((seen.status.code(), seen.stdout), (Some(125), Vec::new()));
}
