//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing. It needs root:
//!
//!     sudo -E env "PATH=$PATH" cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio, id};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A bundle with an empty root filesystem: no container starts in it, but its hooks run.
struct Bundle(TempDir);

impl Bundle {
    fn new() -> Self {
        assert!(geteuid().is_root(), "the grader needs root");
        let bundle = Self(TempDir::new().unwrap());
        symlink(env!("CARGO_BIN_EXE_tiny-docker"), bundle.place("tiny-runc")).unwrap();
        fs::create_dir(bundle.place("rootfs")).unwrap();
        let seen = bundle.see(&["spec", "--bundle"]);
        assert_eq!(seen, "");
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
            command.arg(format!("grader-{}", id()));
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs it with a hook, which leaves the pid of another process in the file "pid". Returns that pid, and what `run` says.
    fn hook(&self, line: &str, seconds: i64) -> (Pid, String) {
        let file = self.place("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(["/no/such/program"]);
        let left = "sleep 1000 >/dev/null 2>&1 & echo $! >pid";
        spec["hooks"]["createRuntime"] = json!([{
            "path": "/bin/sh", "args": ["sh", "-c", format!("{left}; {line}")],
            "env": ["PATH=/usr/bin:/bin"], "timeout": seconds,
        }]);
        fs::write(file, spec.to_string()).unwrap();
        let said = self.see(&["run", "--bundle"]);
        let pid = fs::read_to_string(self.place("pid")).unwrap();
        (Pid::from_raw(pid.trim().parse().unwrap()), said)
    }
}

/// Whether a process is there, and has not ended.
fn lives(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

#[test]
#[ignore = "exercise 1: the hook's children"]
fn ex1_whatever_a_hook_has_started_ends_with_its_time() {
    let bundle = Bundle::new();
    let (left, said) = bundle.hook("wait", 1);
    assert!(said.contains("it has not ended after 1 s"), "{said}");
    // SIGKILL is quick, but not at once.
    sleep(Duration::from_millis(300));
    let lived = lives(left);
    let _ = kill(left, Signal::SIGKILL);
    assert!(!lived, "the hook's time is over, and its child lives on");
}

#[test]
#[ignore = "exercise 1: the hook's children"]
fn ex1_what_a_hook_leaves_behind_lives() {
    let bundle = Bundle::new();
    let (left, said) = bundle.hook("exit 0", 10);
    assert!(!said.contains("hook"), "{said}");
    sleep(Duration::from_millis(300));
    let lived = lives(left);
    let _ = kill(left, Signal::SIGKILL);
    assert!(
        lived,
        "the hook has ended in time, and its child has been killed"
    );
}
