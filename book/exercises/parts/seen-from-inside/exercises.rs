//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs cgroups that we may change: run it as root.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A container that sleeps. It goes at the end.
struct Container {
    place: TempDir,
    id: String,
}

impl Container {
    /// None on a machine that does not let us have cgroups.
    fn start() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("grader-{}-{}", id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let container = Self {
            place: TempDir::new().unwrap(),
            id,
        };
        let (program, place) = (env!("CARGO_BIN_EXE_tiny-docker"), container.place.path());
        symlink(program, place.join("tiny-runc")).unwrap();
        let mut build = Command::new(program);
        build.args(["run", "--rm", "--net", "isolated", "true"]);
        build.env("TINY_DOCKER_ROOT", place.join("docker"));
        assert!(build.output().unwrap().status.success());
        let bundle = place.to_str().unwrap();
        container.see(&["spec", "--bundle", bundle]);
        let config = place.join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["sleep", "1000"]);
        spec["root"]["path"] = json!(place.join("docker/rootfs/default"));
        spec["linux"]["cgroupsPath"] = container.id.clone().into();
        fs::write(&config, spec.to_string()).unwrap();
        let (_, _, said) = container.see(&["run", "--detach", "--bundle", bundle, &container.id]);
        if said.contains("cannot create /sys/fs/cgroup") {
            // Not eprintln: the test harness would hide it.
            let _ = io::stderr().write_all(b"skipped: needs a cgroup that we may change\n");
            return None;
        }
        assert_eq!(said, "", "a container should run");
        Some(container)
    }

    /// `tiny-runc ARGUMENTS…`: whether it succeeds, what it prints, and what it says.
    fn see(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(self.place.path().join("tiny-runc"));
        command.arg("--root").arg(self.place.path().join("state"));
        // A container in the background keeps a pipe open.
        let [out, err] = ["out", "err"].map(|name| self.place.path().join(name));
        command.stdout(File::create(&out).unwrap());
        command.stderr(File::create(&err).unwrap());
        let status = command.args(arguments).stdin(Stdio::null()).status();
        let [out, err] = [out, err].map(|file| fs::read_to_string(file).unwrap());
        (status.unwrap().success(), out, err)
    }

    /// A cgroup of the container to make others in, and how to name one of those for `exec --cgroup`.
    fn group(&self) -> (PathBuf, String) {
        let find = |path: &str| {
            let mut find = Command::new("find");
            find.args([
                "/sys/fs/cgroup",
                "-type",
                "d",
                "-path",
                path,
                "-name",
                &self.id,
            ]);
            let found = String::from_utf8(find.output().unwrap().stdout).unwrap();
            found.lines().next().map(PathBuf::from)
        };
        match find("*/pids/*") {
            Some(group) => (group, "pids:".to_owned()),
            None => (
                find("*").expect("the container has a cgroup"),
                String::new(),
            ),
        }
    }

    /// What `exec` says with this path.
    fn exec(&self, below: &str) -> String {
        let (done, _, said) = self.see(&["exec", "--cgroup", below, &self.id, "true"]);
        assert!(!done, "exec should fail");
        said
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.see(&["delete", "--force", &self.id]);
    }
}

#[test]
#[ignore = "exercise 1: which groups are there?"]
fn ex1_a_missing_cgroup_is_answered_with_those_that_there_are() {
    let Some(container) = Container::start() else {
        return;
    };
    let (group, prefix) = container.group();
    for below in ["b", "a", "a/x"] {
        fs::create_dir(group.join(below)).unwrap();
    }
    let said = container.exec(&format!("{prefix}c"));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines.len(),
        2,
        "there should be an error and a hint: {said}"
    );
    assert!(
        lines[0].contains("/c/cgroup.procs: no such file or directory"),
        "the error should stay: {said}"
    );
    assert_eq!(lines[1], "hint: the container has: a, a/x, b");
}

#[test]
#[ignore = "exercise 1: which groups are there?"]
fn ex1_it_says_when_there_are_none() {
    let Some(container) = Container::start() else {
        return;
    };
    let (_, prefix) = container.group();
    let said = container.exec(&format!("{prefix}c"));
    let hint = "\nhint: the container has no cgroups below its own\n";
    assert!(said.ends_with(hint), "{said}");
}

#[test]
#[ignore = "exercise 1: which groups are there?"]
fn ex1_other_errors_stay_as_they_are() {
    let Some(container) = Container::start() else {
        return;
    };
    let (group, prefix) = container.group();
    fs::create_dir(group.join("a")).unwrap();
    let said = container.exec(&format!("{prefix}c"));
    assert!(said.contains("hint: the container has: a"), "{said}");
    let said = container.exec(&format!("{prefix}../a"));
    assert!(!said.contains("hint"), "{said}");
}
