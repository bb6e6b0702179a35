//! What a container's state is, who may have it, and what is left of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::thread;

use serde_json::{Value, json};

use crate::oci::a_configuration::Bundle;
use crate::oci::container::need_root;
use crate::support::{Seen, wait_until};

/// A container that runs until there is a file /stop in its root.
struct Running(Bundle);

impl Running {
    fn new() -> Self {
        let mut bundle = Bundle::with_programs();
        bundle.shell("until [ -e /stop ] || [ $((i+=1)) -gt 600 ]; do sleep 0.05; done");
        bundle.config["annotations"] = json!({"a": "b"});
        assert_eq!(detached(&bundle), Some(0));
        Self(bundle)
    }

    fn call(&self, command: &str) -> Seen {
        self.0.runc.see(&[command, &self.0.id()])
    }

    fn state(&self) -> Value {
        let seen = self.call("state");
        assert_eq!((seen.code, &seen.stderr[..]), (Some(0), ""));
        serde_json::from_str(&seen.stdout).unwrap()
    }

    fn stop(&self) {
        let root = self.0.config["root"]["path"].as_str().unwrap();
        fs::write(PathBuf::from(root).join("stop"), "").unwrap();
        wait_until("the container stopped", || {
            self.state()["status"] == "stopped"
        });
    }

    /// The file that remembers it.
    fn file(&self) -> PathBuf {
        self.0.runc.root().join(self.0.id()).join("state.json")
    }
}

/// `run --detach`. Returns its exit code.
fn detached(bundle: &Bundle) -> Option<i32> {
    bundle.write();
    let words = bundle.words(&["--detach"]);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    bundle.runc.see_apart(&words).code
}

#[test]
fn state_says_what_the_specification_wants() {
    need_root!();
    let container = Running::new();
    let state = container.state();
    let expected = json!({
        "ociVersion": "1.2.1", "id": container.0.id(), "status": "running", "annotations": {"a": "b"},
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&state[field], value, "{field}");
    }
    let words = format!("/proc/{}/cmdline", state["pid"]);
    let is_it = || {
        fs::read_to_string(&words)
            .unwrap()
            .starts_with("sh\0-c\0until")
    };
    wait_until("the command in /proc", is_it);
    assert!(
        PathBuf::from(state["bundle"].as_str().unwrap())
            .join("config.json")
            .exists()
    );
    container.stop();
    assert_eq!(
        (&container.state()["status"], &container.state()["pid"]),
        (&json!("stopped"), &json!(0))
    );
    assert_eq!(container.call("delete").code, Some(0));
    let gone = container.call("state");
    let reason = format!("tiny-runc: container {} does not exist\n", container.0.id());
    assert_eq!((gone.code, gone.stderr), (Some(1), reason));
}

#[test]
fn a_running_container_is_not_deleted_and_keeps_its_name() {
    need_root!();
    let container = Running::new();
    let id = container.0.id();
    let seen = container.call("delete");
    let reason = format!("tiny-runc: cannot delete container {id} that is not stopped: running\n");
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.starts_with(&reason), "{}", seen.stderr);
    let seen = container.0.run();
    let reason = format!("tiny-runc: container with the id {id} already exists\n");
    assert_eq!((seen.code, seen.stderr), (Some(1), reason));
    assert_eq!(container.state()["status"], "running");
    container.stop();
    assert_eq!(container.call("delete").code, Some(0));
}

#[test]
fn the_state_has_the_configuration_of_then_and_nobody_else_reads_it() {
    need_root!();
    let mut container = Running::new();
    let kept =
        || -> Value { serde_json::from_slice(&fs::read(container.file()).unwrap()).unwrap() };
    let before = kept();
    assert_eq!(
        before["spec"]["process"]["args"][2],
        container.0.config["process"]["args"][2]
    );
    assert_eq!(container.file().metadata().unwrap().mode() & 0o777, 0o600);
    let directory = container.0.runc.root().metadata().unwrap();
    assert_eq!(directory.mode() & 0o777, 0o700);
    container.0.config["process"]["args"] = json!(["something", "else"]);
    container.0.write();
    assert_eq!(container.state()["annotations"], json!({"a": "b"}));
    let after: Value = serde_json::from_slice(&fs::read(container.file()).unwrap()).unwrap();
    assert_eq!(before, after);
    container.stop();
    assert_eq!(container.call("delete").code, Some(0));
}

#[test]
fn another_process_with_its_pid_is_not_the_container() {
    need_root!();
    let container = Running::new();
    let text = fs::read_to_string(container.file()).unwrap();
    let mut kept: Value = serde_json::from_str(&text).unwrap();
    // This process, which has started at another time.
    kept["process"]["pid"] = json!(std::process::id());
    fs::write(container.file(), kept.to_string()).unwrap();
    assert_eq!(container.state()["status"], "stopped");
    let mut kept: Value = serde_json::from_str(&text).unwrap();
    kept["process"]["boot_id"] = json!("another");
    fs::write(container.file(), kept.to_string()).unwrap();
    assert_eq!(container.state()["status"], "stopped");
    fs::write(container.file(), text).unwrap();
    assert_eq!(container.state()["status"], "running");
    container.stop();
    assert_eq!(container.call("delete").code, Some(0));
}

#[test]
fn one_of_many_gets_a_name_and_none_leaves_anything() {
    need_root!();
    let mut bundle = Bundle::with_programs();
    bundle.shell("until [ -e /stop ] || [ $((i+=1)) -gt 600 ]; do sleep 0.05; done");
    let codes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| detached(&bundle))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let won = codes.iter().filter(|code| **code == Some(0)).count();
    assert_eq!(won, 1, "{codes:?}");
    let mut container = Running(bundle);
    container.stop();
    assert_eq!(container.call("delete").code, Some(0));
    let bundle = &mut container.0;
    bundle.shell("exit 3");
    assert_eq!(bundle.run().code, Some(3));
    bundle.config["process"]["args"] = json!(["no-such-command"]);
    assert_eq!(bundle.run().code, Some(1));
    let left: Vec<_> = fs::read_dir(bundle.runc.root()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_id_is_one_plain_name() {
    let bundle = Bundle::new();
    bundle.write();
    let directory = bundle.words(&[])[2].clone();
    for id in [
        "",
        ".",
        "..",
        "a/b",
        "../a",
        "a b",
        "ä",
        "a\n",
        &"a".repeat(256),
    ] {
        let seen = bundle.runc.see(&["run", "--bundle", &directory, id]);
        assert_eq!(seen.code, Some(1), "{id:?}");
        assert!(
            seen.stderr.contains("container ID"),
            "{id:?}: {}",
            seen.stderr
        );
        for command in ["state", "delete"] {
            let seen = bundle.runc.see(&[command, id]);
            assert_eq!(seen.code, Some(1), "{id:?}");
            let stderr = seen.stderr;
            assert!(stderr.contains("container ID"), "{id:?}: {stderr}");
        }
    }
}

#[test]
fn a_root_that_others_can_write_to_is_refused() {
    let bundle = Bundle::new();
    fs::create_dir_all(bundle.runc.root().join("one")).unwrap();
    fs::set_permissions(bundle.runc.root(), Permissions::from_mode(0o777)).unwrap();
    let seen = bundle.runc.see(&["state", "one"]);
    assert_eq!(seen.code, Some(1));
    let reason = "other users can write to it\nhint: chmod go-w\n";
    assert!(seen.stderr.ends_with(reason), "{}", seen.stderr);
}

#[test]
fn an_error_that_nobody_can_read_is_still_that_error() {
    let bundle = Bundle::new();
    bundle.write();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut state = bundle.runc.command(&["state", "nope"]);
    assert_eq!(state.stderr(full).status().unwrap().code(), Some(1));
}
