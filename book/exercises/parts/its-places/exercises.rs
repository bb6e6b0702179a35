//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing. It needs root:
//!
//!     sudo -E env "PATH=$PATH" cargo test --test exercises -- --ignored ex1

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};

use nix::unistd::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A bundle with an empty root filesystem: no container starts in it. But its hook runs, when the cgroups are there.
struct Bundle(TempDir);

impl Bundle {
    fn new() -> Self {
        assert!(geteuid().is_root(), "the grader needs root");
        let bundle = Self(TempDir::new().unwrap());
        symlink(env!("CARGO_BIN_EXE_tiny-docker"), bundle.place("tiny-runc")).unwrap();
        fs::create_dir(bundle.place("rootfs")).unwrap();
        bundle.see(&["spec", "--bundle"]);
        bundle
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What `tiny-runc ARGUMENTS… BUNDLE` says.
    fn see(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.place("tiny-runc"));
        command.arg("--root").arg(self.place("state"));
        command.args(arguments).arg(self.0.path());
        if arguments[0] == "run" {
            command.arg(name());
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    /// The cgroups that a container gets with this cgroupsPath, each once, and what `run` says.
    fn groups(&self, path: &str) -> (BTreeSet<String>, String) {
        let file = self.place("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["/no/such/program"]);
        spec["linux"]["cgroupsPath"] = path.into();
        let line = format!("cp state/{}/state.json found", name());
        spec["hooks"]["createRuntime"] = json!([{
            "path": "/bin/sh", "args": ["sh", "-c", line], "env": ["PATH=/usr/bin:/bin"],
        }]);
        fs::write(file, spec.to_string()).unwrap();
        let said = self.see(&["run", "--bundle"]);
        let found = fs::read(self.place("found")).unwrap_or_default();
        let found: Value = serde_json::from_slice(&found).unwrap_or_default();
        let paths = found["groups"]["paths"].as_object().cloned();
        let paths = paths.unwrap_or_default().into_iter();
        let paths = paths.map(|(_, path)| path.as_str().unwrap().to_owned());
        (paths.collect(), said)
    }
}

fn name() -> String {
    format!("grader-{}", id())
}

/// Checks that a container with this cgroupsPath is at `expected`, everywhere. Removes the cgroups above it, which stay.
fn check(path: &str, expected: &str) {
    let (groups, said) = Bundle::new().groups(path);
    let slices = Path::new(expected).parent().unwrap();
    let mut wrong = Vec::new();
    for group in &groups {
        // Only what is the grader's own.
        let is_own = |path: &&Path| path.to_str().unwrap().contains("tinygrader");
        for group in Path::new(group).ancestors().skip(1).take_while(is_own) {
            let _ = fs::remove_dir(group);
        }
        if !group.ends_with(expected) {
            wrong.push(group);
        }
    }
    assert!(!groups.is_empty(), "{path}: {said}");
    assert!(wrong.is_empty(), "{path}: not {slices:?}: {wrong:?}");
}

#[test]
#[ignore = "exercise 1: where systemd would put it"]
fn ex1_a_scope_is_in_its_slice() {
    let top = format!("tinygrader{}x", id());
    let expected = format!("/{top}.slice/docker-1234.scope");
    check(&format!("{top}.slice:docker:1234"), &expected);
}

#[test]
#[ignore = "exercise 1: where systemd would put it"]
fn ex1_dashes_mean_slices_in_slices() {
    let top = format!("tinygrader{}y", id());
    let expected = format!("/{top}.slice/{top}-1000.slice/{top}-1000-a.slice/podman-1234.scope");
    check(&format!("{top}-1000-a.slice:podman:1234"), &expected);
}

#[test]
#[ignore = "exercise 1: where systemd would put it"]
fn ex1_an_ordinary_path_stays_what_it_is() {
    let top = format!("tinygrader{}z", id());
    check(
        &format!("{top}.slice:a:b"),
        &format!("/{top}.slice/a-b.scope"),
    );
    check(&format!("/{top}/a:b"), &format!("/{top}/a:b"));
}
