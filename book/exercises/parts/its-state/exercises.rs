//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running container, until `stop`.
struct Container {
    own: TempDir,
}

impl Container {
    fn new() -> Self {
        let own = TempDir::new().unwrap();
        symlink(
            env!("CARGO_BIN_EXE_tiny-docker"),
            own.path().join("tiny-runc"),
        )
        .unwrap();
        // It ends with this directory, too.
        let here = own.path().display();
        let line = format!("until [ -e {here}/stop ] || [ ! -e {here} ]; do sleep 0.02; done");
        let process =
            json!({"args": ["sh", "-c", line], "env": ["PATH=/usr/bin:/bin"], "cwd": "/"});
        let config = json!({"ociVersion": "1.2.1", "process": process, "root": {"path": "/"}});
        fs::write(own.path().join("config.json"), config.to_string()).unwrap();
        let container = Self { own };
        let bundle = container.own.path().to_str().unwrap().to_owned();
        let run = container.start(
            &["run", "--detach", "--bundle", &bundle, "one"],
            Stdio::null(),
        );
        assert_eq!(end(run), Some(0), "cannot run a container");
        container
    }

    fn start(&self, arguments: &[&str], stderr: Stdio) -> Child {
        let program = self.own.path().join("tiny-runc");
        let mut command = match geteuid().is_root() {
            true => Command::new(program),
            false => {
                let mut command = Command::new("unshare");
                command.args(["--user", "--map-root-user"]).arg(program);
                command
            }
        };
        command
            .arg("--root")
            .arg(self.own.path().join("root"))
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        command.spawn().unwrap()
    }

    fn wait(&self) -> Child {
        self.start(&["wait", "one"], Stdio::inherit())
    }

    fn call(&self, command: &str) -> Option<i32> {
        end(self.start(&[command, "one"], Stdio::inherit()))
    }

    fn stop(&self) {
        fs::write(self.own.path().join("stop"), "").unwrap();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How a program has ended, which must not take long.
fn end(mut child: Child) -> Option<i32> {
    for _ in 0..300 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("it waits, and should not");
}

/// How often the kernel has put a process to sleep.
fn sleeps(child: &Child) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("voluntary_ctxt_switches"));
    line.unwrap().to_owned()
}

#[test]
#[ignore = "exercise 1: wait for it"]
fn ex1_it_waits_for_the_end_and_no_longer() {
    let container = Container::new();
    let mut wait = container.wait();
    sleep(Duration::from_millis(400));
    assert_eq!(wait.try_wait().unwrap(), None, "it does not wait");
    container.stop();
    assert_eq!(end(wait), Some(0));
    assert_eq!(
        container.call("wait"),
        Some(0),
        "the container has stopped already"
    );
}

#[test]
#[ignore = "exercise 1: wait for it"]
fn ex1_it_sleeps_all_the_time() {
    let container = Container::new();
    let mut wait = container.wait();
    sleep(Duration::from_millis(500));
    assert_eq!(wait.try_wait().unwrap(), None, "it does not wait");
    let before = sleeps(&wait);
    sleep(Duration::from_millis(1200));
    assert_eq!(sleeps(&wait), before, "it looks again and again");
    container.stop();
    assert_eq!(end(wait), Some(0));
}

#[test]
#[ignore = "exercise 1: wait for it"]
fn ex1_others_can_look_and_change_it_meanwhile() {
    let container = Container::new();
    let mut wait = container.wait();
    sleep(Duration::from_millis(300));
    assert_eq!(wait.try_wait().unwrap(), None, "it does not wait");
    assert_eq!(container.call("state"), Some(0));
    // It is running, but not locked.
    assert_eq!(container.call("delete"), Some(1));
    container.stop();
    assert_eq!(end(wait), Some(0));
    assert_eq!(container.call("delete"), Some(0));
    assert_eq!(
        container.call("wait"),
        Some(1),
        "there is no such container"
    );
}

#[test]
#[ignore = "exercise 1: wait for it"]
fn ex1_it_does_not_wait_for_another_process_with_that_pid() {
    let container = Container::new();
    let file = container.own.path().join("root/one/state.json");
    let text = fs::read_to_string(&file).unwrap();
    let mut state: Value = serde_json::from_str(&text).unwrap();
    state["process"]["pid"] = json!(std::process::id());
    fs::write(&file, state.to_string()).unwrap();
    assert_eq!(container.call("wait"), Some(0));
}
