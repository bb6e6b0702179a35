//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A bundle with an empty root filesystem, and a container's id. No container starts in it.
struct Bundle(TempDir, String);

impl Bundle {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let bundle = Self(TempDir::new().unwrap(), format!("grader-{}-{number}", id()));
        let program = env!("CARGO_BIN_EXE_tiny-docker");
        symlink(program, bundle.0.path().join("tiny-runc")).unwrap();
        fs::create_dir(bundle.0.path().join("rootfs")).unwrap();
        let mut spec = bundle.command(&["spec", "--bundle"]);
        spec.arg(bundle.0.path());
        if !geteuid().is_root() {
            spec.arg("--rootless");
        }
        assert!(spec.status().unwrap().success());
        bundle
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0.path().join("tiny-runc"));
        command.arg("--root").arg(self.0.path().join("state"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// What `run` says with these resources.
    fn run(&self, resources: Value) -> String {
        let config = self.0.path().join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["/no/such/program"]);
        spec["linux"]["resources"] = resources;
        fs::write(&config, spec.to_string()).unwrap();
        let mut run = self.command(&["run", "--bundle"]);
        let run = run.arg(self.0.path()).arg(&self.1);
        let output = run.output().unwrap();
        assert!(!output.status.success(), "there is no such program");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
#[ignore = "exercise 1: all mistakes at once"]
fn ex1_a_mistake_is_named() {
    let bundle = Bundle::new();
    for (resources, said) in [
        (
            json!({"cpu": {"quota": 5}}),
            "cpu.quota is 5: it must be at least 1000",
        ),
        (
            json!({"cpu": {"quota": 999}}),
            "cpu.quota is 999: it must be at least 1000",
        ),
        (
            json!({"cpu": {"period": 999}}),
            "cpu.period is 999: it must be from 1000 to 1000000",
        ),
        (
            json!({"cpu": {"period": 1_000_001}}),
            "cpu.period is 1000001: it must be from 1000 to 1000000",
        ),
        (
            json!({"memory": {"limit": 64 << 20, "swap": 32 << 20}}),
            "memory.swap is 33554432: it must not be below memory.limit",
        ),
        (
            json!({"memory": {"swappiness": 101}}),
            "memory.swappiness is 101: it must be from 0 to 100",
        ),
    ] {
        let expected = format!("tiny-runc: linux.resources.{said}\n");
        assert_eq!(bundle.run(resources), expected);
    }
}

#[test]
#[ignore = "exercise 1: all mistakes at once"]
fn ex1_several_mistakes_are_named_at_once() {
    let said = Bundle::new().run(json!({
        "memory": {"limit": 64 << 20, "swap": 32 << 20, "swappiness": 200},
        "cpu": {"period": 1, "quota": 1},
    }));
    let expected = "tiny-runc: linux.resources.cpu.quota is 1: it must be at least 1000; \
        linux.resources.cpu.period is 1: it must be from 1000 to 1000000; \
        linux.resources.memory.swap is 33554432: it must not be below memory.limit; \
        linux.resources.memory.swappiness is 200: it must be from 0 to 100\n";
    assert_eq!(said, expected);
}

#[test]
#[ignore = "exercise 1: all mistakes at once"]
fn ex1_what_is_right_is_not_refused() {
    let bundle = Bundle::new();
    // The check is there.
    assert!(bundle.run(json!({"cpu": {"quota": 1}})).contains("must be"));
    for resources in [
        json!({"cpu": {"quota": 0, "period": 0}}),
        json!({"cpu": {"quota": -1, "period": 1000}}),
        json!({"cpu": {"quota": 1000, "period": 1_000_000}}),
        json!({"memory": {"limit": 64 << 20, "swap": 64 << 20, "swappiness": 100}}),
        json!({"memory": {"limit": 64 << 20, "swap": -1}}),
        json!({"memory": {"limit": 64 << 20, "swap": 0}}),
        json!({"memory": {"limit": -1, "swap": -1}}),
    ] {
        let said = bundle.run(resources.clone());
        assert!(!said.contains("must"), "{resources}: {said}");
    }
}
