//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio, id};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A container that sleeps, with this machine's programs.
struct Container(TempDir);

impl Container {
    fn new() -> Self {
        let container = Self(TempDir::new().unwrap());
        let program = env!("CARGO_BIN_EXE_tiny-docker");
        symlink(program, container.place("tiny-runc")).unwrap();
        let mut build = Command::new(program);
        build.args(["run", "--net", "isolated", "true"]);
        build.env("TINY_DOCKER_ROOT", container.place("docker"));
        assert!(build.output().unwrap().status.success());
        let bundle = container.place("");
        let bundle = bundle.to_str().unwrap();
        container.see(&["spec", "--rootless", "--bundle", bundle]);
        let file = container.place("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["sleep", "1000"]);
        spec["root"]["path"] = container.place("docker/rootfs/default").to_str().into();
        let sets = &mut spec["process"]["capabilities"];
        sets["bounding"] = json!(["CAP_KILL", "CAP_CHOWN"]);
        for set in ["effective", "permitted"] {
            sets[set] = json!(["CAP_KILL"]);
        }
        fs::write(file, spec.to_string()).unwrap();
        let (code, said) = container.see(&["run", "-d", "--bundle", bundle, &name()]);
        assert_eq!(code, Some(0), "{said}");
        container
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The exit code of `tiny-runc ARGUMENTS…`, and what it says.
    fn see(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let log = self.place("log");
        let output = File::create(&log).unwrap();
        let mut command = Command::new(self.place("tiny-runc"));
        command.arg("--root").arg(self.place("state"));
        command.args(arguments).stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let code = command.status().unwrap().code();
        (code, fs::read_to_string(log).unwrap())
    }

    fn exec(&self, options: &[&str]) -> (Option<i32>, String) {
        let name = name();
        let grep = ["grep", "-E", "Cap(Eff|Bnd)", "/proc/self/status"];
        self.see(&[&["exec"], options, &[name.as_str()], &grep[..]].concat())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.see(&["delete", "--force", &name()]);
    }
}

fn name() -> String {
    format!("grader-{}", id())
}

/// The two sets, for CAP_CHOWN (1) and CAP_KILL (0x20).
fn shown(effective: u64, bounding: u64) -> String {
    format!("CapEff:\t{effective:016x}\nCapBnd:\t{bounding:016x}\n")
}

#[test]
#[ignore = "exercise 1: not above the container"]
fn ex1_no_capability_comes_that_the_container_can_never_have() {
    let container = Container::new();
    for options in [
        &["--cap", "CAP_SYS_ADMIN"][..],
        &["--cap", "CAP_CHOWN", "--cap", "CAP_SYS_ADMIN"],
    ] {
        let (code, said) = container.exec(options);
        assert_eq!(code, Some(255), "{options:?}: {said}");
        let expected = "--cap: the container does not have CAP_SYS_ADMIN";
        assert!(said.contains(expected), "{options:?}: {said}");
    }
}

#[test]
#[ignore = "exercise 1: not above the container"]
fn ex1_what_is_in_the_bounding_set_may_be_added() {
    let container = Container::new();
    let (_, said) = container.exec(&["--cap", "CAP_SYS_ADMIN"]);
    assert!(said.contains("does not have"), "{said}");
    assert_eq!(container.exec(&[]).1, shown(0x20, 0x21));
    let (_, said) = container.exec(&["--cap", "CAP_CHOWN"]);
    assert_eq!(said, shown(0x21, 0x21), "with CAP_CHOWN");
}
