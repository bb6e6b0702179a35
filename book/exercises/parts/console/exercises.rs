//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs root, as containers do at this part.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A bundle with a terminal.
struct Bundle(TempDir);

impl Bundle {
    fn new(command: &[&str]) -> Self {
        let bundle = Self(TempDir::new().unwrap());
        let place = bundle.0.path();
        let program = env!("CARGO_BIN_EXE_tiny-docker");
        symlink(program, place.join("tiny-runc")).unwrap();
        // For its root filesystem.
        let mut run = Command::new(program);
        run.args(["run", "--rm", "--net", "isolated", "true"]);
        run.env("TINY_DOCKER_ROOT", place.join("state"));
        assert!(run.output().unwrap().status.success());
        fs::rename(place.join("state/rootfs/default"), place.join("rootfs")).unwrap();
        assert!(bundle.runc(&["spec"]).status().unwrap().success());
        let config = place.join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        spec["process"]["terminal"] = true.into();
        spec["process"]["args"] = json!(command);
        fs::write(config, spec.to_string()).unwrap();
        bundle
    }

    fn runc(&self, arguments: &[&str]) -> Command {
        let place = self.0.path();
        let mut runc = Command::new(place.join("tiny-runc"));
        runc.arg("--root").arg(place.join("run")).args(arguments);
        runc.current_dir(place).stdin(Stdio::null());
        runc
    }

    /// What a container prints if this comes through a pipe, which then ends. None if the container does not end.
    fn given(&self, typed: &[u8]) -> Option<String> {
        let mut run = self.runc(&["run", "it"]);
        run.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut run = run.spawn().unwrap();
        run.stdin.take().unwrap().write_all(typed).unwrap();
        let deadline = Instant::now() + Duration::from_secs(3);
        while run.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = run.kill();
                run.wait().unwrap();
                self.runc(&["delete", "--force", "it"]).status().unwrap();
                return None;
            }
            sleep(Duration::from_millis(20));
        }
        let output = run.wait_with_output().unwrap();
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[test]
#[ignore = "exercise 1: a terminal that ends"]
fn ex1_the_end_of_a_pipe_is_the_end_of_what_is_typed() {
    let bundle = Bundle::new(&["sh", "-c", "sort | tr a-z A-Z"]);
    let seen = bundle.given(b"b\na\n").expect("it waits for ever");
    assert!(seen.ends_with("A\nB\n"), "{seen}");
    let seen = bundle.given(b"").expect("it waits for ever for nothing");
    assert_eq!(seen.trim(), "");
}

#[test]
#[ignore = "exercise 1: a terminal that ends"]
fn ex1_even_if_the_last_line_is_not_complete() {
    let bundle = Bundle::new(&["sh", "-c", "sort | tr a-z A-Z"]);
    let seen = bundle.given(b"b\na");
    let seen = seen.expect("with an incomplete line, it waits for ever");
    assert!(seen.ends_with("A\nB\n"), "{seen}");
}
