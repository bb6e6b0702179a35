//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs a bundle with an empty root filesystem, so it fails in the end. Returns its warnings.
fn warnings(config: &Value) -> Vec<String> {
    let bundle = TempDir::new().unwrap();
    fs::create_dir(bundle.path().join("rootfs")).unwrap();
    fs::write(bundle.path().join("config.json"), config.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.arg0("tiny-runc").arg("run");
    let output = command.arg("--bundle").arg(bundle.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let goes_on = stderr.contains("no-such-command") || stderr.contains("root directory");
    assert!(goes_on, "it has not tried to run the command: {stderr}");
    assert_eq!(output.status.code(), Some(1));
    let lines = stderr.lines().map(str::to_owned);
    lines.filter(|line| line.contains("warning")).collect()
}

fn expected(names: &[&str]) -> Vec<String> {
    let line = |name: &&str| format!("tiny-runc: warning: config.json: {name} is not known");
    names.iter().map(line).collect()
}

fn config() -> Value {
    json!({
        "ociVersion": "1.2.1",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["no-such-command"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "rlimits": [],
        },
        "root": {"path": "rootfs", "readonly": false},
        "hostname": "",
        "annotations": {"any.thing": "goes", "hostnam": "here"},
        "linux": {"resources": {}, "namespaces": []},
    })
}

#[test]
#[ignore = "exercise 1: a name that nobody knows"]
fn ex1_there_is_a_warning_for_an_unknown_field() {
    let mut config = config();
    config["hostnam"] = json!("web");
    config["rooot"] = json!({"path": "/"});
    assert_eq!(warnings(&config), expected(&["hostnam", "rooot"]));
}

#[test]
#[ignore = "exercise 1: a name that nobody knows"]
fn ex1_there_is_a_warning_at_each_depth() {
    let mut config = config();
    config["zeal"] = json!(1);
    config["process"]["rlimitz"] = json!([]);
    config["process"]["user"]["gidd"] = json!(0);
    config["linux"]["names"] = json!({"a": {"b": 1}});
    let names = [
        "linux.names",
        "process.rlimitz",
        "process.user.gidd",
        "zeal",
    ];
    assert_eq!(warnings(&config), expected(&names));
}

#[test]
#[ignore = "exercise 1: a name that nobody knows"]
fn ex1_nothing_else_is_worth_a_warning() {
    let mut config = config();
    assert_eq!(warnings(&config), expected(&[]), "all of these are known");
    config["hostnam"] = json!("web");
    config["process"]["rlimitz"] = Value::Null;
    config["surprise"] = Value::Null;
    assert_eq!(warnings(&config), expected(&["hostnam"]), "null is nothing");
    config["process"].as_object_mut().unwrap().remove("user");
    assert_eq!(
        warnings(&config),
        expected(&["hostnam"]),
        "the user may be missing"
    );
}
