//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use serde_json::json;
use tempfile::TempDir;

/// An ordinary user becomes root in a user namespace first.
fn as_root(command: &mut Command) -> &mut Command {
    let (uid, gid) = (geteuid(), getegid());
    if !uid.is_root() {
        let become_root = move || {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
            fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
        };
        // SAFETY: this test has several threads, but none of them is at work on what this uses.
        unsafe { command.pre_exec(become_root) };
    }
    command
}

/// A bundle whose root filesystem is this machine's own.
struct Place(TempDir);

impl Place {
    /// Creates a container with this line of shell, which finds itself in a directory of its own.
    fn create(line: &str, options: &[&str]) -> Self {
        let place = Self(TempDir::new().unwrap());
        let path = place.0.path();
        symlink(env!("CARGO_BIN_EXE_tiny-docker"), path.join("tiny-runc")).unwrap();
        let config = json!({
            "ociVersion": "1.2.1",
            "process": {
                "args": ["sh", "-c", line], "cwd": path, "user": {"uid": 0, "gid": 0},
                "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            },
            "root": {"path": "/"},
        });
        fs::write(path.join("config.json"), config.to_string()).unwrap();
        let log = File::create(path.join("log")).unwrap();
        let mut create = place.runc(&[&["create"], options, &["box"]].concat());
        create.stdout(log.try_clone().unwrap()).stderr(log);
        let status = create.status().unwrap();
        assert!(status.success(), "create {options:?}: {}", place.said());
        place
    }

    /// `tiny-runc ARGUMENTS…`, still to be started.
    fn runc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0.path().join("tiny-runc"));
        command.args(["--root", "root"]).args(arguments);
        command.current_dir(&self.0).stdin(Stdio::null());
        as_root(&mut command);
        command
    }

    /// Whether the container is in this state.
    fn is(&self, state: &str) -> bool {
        let output = self.runc(&["state", "box"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.contains(&format!("\"status\": \"{state}\""))
    }

    /// What the container has written.
    fn said(&self) -> String {
        fs::read_to_string(self.0.path().join("log")).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.runc(&["delete", "--force", "box"]).output();
    }
}

#[test]
#[ignore = "exercise 1: nobody comes"]
fn ex1_a_container_that_nobody_starts_gives_up() {
    let place = Place::create("echo it has started", &["--start-timeout", "1"]);
    assert!(place.is("created"), "it has given up at once");
    for _ in 0..40 {
        if place.is("stopped") {
            let shown = "nobody has called start within 1 seconds";
            assert!(place.said().contains(shown), "it says: {}", place.said());
            let start = place.runc(&["start", "box"]).output().unwrap();
            assert!(!start.status.success(), "it can still be started");
            assert!(!place.said().contains("started"), "its command has run");
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("it still waits");
}

#[test]
#[ignore = "exercise 1: nobody comes"]
fn ex1_once_it_has_started_it_runs_as_long_as_it_likes() {
    let place = Place::create("sleep 2; echo the end", &["--start-timeout", "1"]);
    let start = place.runc(&["start", "box"]).status().unwrap();
    assert!(start.success());
    for _ in 0..40 {
        if place.is("stopped") {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert_eq!(place.said(), "the end\n", "the command was ended");
}

#[test]
#[ignore = "exercise 1: nobody comes"]
fn ex1_without_the_option_it_waits() {
    let place = Place::create("echo it has started", &[]);
    sleep(Duration::from_millis(1500));
    assert!(place.is("created"), "it does not wait: {}", place.said());
    let help = place.runc(&["create", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("--start-timeout <SECONDS>"), "{help}");
}
