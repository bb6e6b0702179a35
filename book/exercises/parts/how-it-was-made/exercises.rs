//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs python3, for the registry of the book.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A state directory with an image, it:1.
struct Place {
    directory: TempDir,
    server: Child,
}

impl Place {
    /// It has one layer, and this history. None, aloud, without python3.
    fn new(history: &str) -> Option<Self> {
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
        script.arg(&site).arg("it:1").arg(&layer);
        let made = script.env("HISTORY", history).status().unwrap();
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
        place.done(&["tag", &pulled, "it:1"]);
        Some(place)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.directory.path().join("state"));
        command.env("DOCKER_CONFIG", self.directory.path());
        command
    }

    /// Runs it, and it succeeds. Returns what it prints.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The objects that history prints.
    fn history(&self) -> (String, Vec<Value>) {
        let text = self.done(&["history", "--format", "json", "it:1"]);
        let object = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        let objects = text.lines().map(object).collect();
        (text, objects)
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

const STEPS: &str = r#"[{"created": "2020-01-02T03:04:05Z", "created_by": "ADD it /", "comment": "first"},
    {"created_by": "RUN one\nRUN two\t\u001b[2K", "comment": "a \u202e b", "empty_layer": true}]"#;

#[test]
#[ignore = "exercise 1: history --format json"]
fn ex1_each_step_is_an_object() {
    let Some(place) = Place::new(STEPS) else {
        return;
    };
    let (_, steps) = place.history();
    assert_eq!(steps.len(), 2, "{steps:?}");
    let table = place.done(&["history", "it:1"]);
    let id = table.lines().nth(1).and_then(|row| row.split(' ').next());
    assert_eq!(steps[0]["ID"], json!(id));
    assert_eq!(steps[1]["ID"], "<missing>");
    assert_eq!(steps[1]["CreatedBy"], "ADD it /");
    assert_eq!(steps[1]["Comment"], "first");
    assert_eq!(steps[1]["CreatedAt"], "2020-01-02T03:04:05Z");
    let since = steps[1]["CreatedSince"].as_str().unwrap_or_default();
    assert!(since.ends_with("years ago"), "CreatedSince: {since}");
    assert_eq!(steps[0]["CreatedAt"], "");
    assert_eq!(steps[0]["CreatedSince"], "N/A");
    assert_eq!(steps[0]["Size"], "0B");
    assert_eq!(table, place.done(&["history", "--format=table", "it:1"]));
    let seen = place
        .command(&["history", "--format", "xml", "it:1"])
        .output();
    assert_eq!(seen.unwrap().status.code(), Some(125), "--format xml");
}

#[test]
#[ignore = "exercise 1: history --format json"]
fn ex1_texts_are_the_images_own() {
    let Some(place) = Place::new(STEPS) else {
        return;
    };
    let (text, steps) = place.history();
    assert_eq!(steps[0]["CreatedBy"], "RUN one\nRUN two\t\u{1b}[2K");
    assert_eq!(steps[0]["Comment"], "a \u{202e} b");
    let is_safe = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
    assert!(
        text.chars().all(is_safe),
        "a terminal is deceived: {text:?}"
    );
}

#[test]
#[ignore = "exercise 1: history --format json"]
fn ex1_long_texts_are_complete() {
    let long = "x".repeat(1000);
    let Some(place) = Place::new(&format!(r#"[{{"created_by": "{long}"}}]"#)) else {
        return;
    };
    let (_, steps) = place.history();
    assert_eq!(steps[0]["CreatedBy"], long);
}
