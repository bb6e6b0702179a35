//! From `create` to `delete`, one step at a time.

use std::fs;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::wait_until;

/// Creates it, and returns the file that its command writes as soon as it runs.
fn create(container: &mut Container, options: &[&str]) -> std::path::PathBuf {
    container.runs("echo started >/started; sleep 1000");
    let log = fs::File::create(container.log()).unwrap();
    let mut create = container.command("create", options);
    create.stdout(log.try_clone().unwrap()).stderr(log);
    let status = create.status().unwrap();
    assert!(status.success(), "{}", container.said());
    container.ground.rootfs().join("started")
}

fn state(container: &Container) -> Value {
    let seen = container.runc.see(&["state", &container.id]);
    serde_json::from_str(&seen.stdout).unwrap_or_else(|_| panic!("{}", seen.stderr))
}

#[test]
fn the_command_of_a_created_container_waits_for_start() {
    need_root!();
    let mut container = Container::new();
    let file = container.ground.place("pid");
    let started = create(&mut container, &["--pid-file", file.to_str().unwrap()]);
    let now = state(&container);
    assert_eq!(now["status"], "created");
    assert_eq!(fs::read_to_string(file).unwrap(), now["pid"].to_string());
    let its = |file| fs::read_to_string(format!("/proc/{}/{file}", now["pid"])).unwrap();
    assert!(its("cmdline").starts_with("tiny-runc\0init\0"));
    assert!(!started.exists());

    let seen = container.runc.see(&["start", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    wait_until("the command's file", || started.exists());
    assert!(its("cmdline").starts_with("sh\0"));
    assert_eq!(state(&container)["status"], "running");
    assert_eq!(state(&container)["pid"], now["pid"]);
}

#[test]
fn a_container_starts_once() {
    need_root!();
    let mut container = Container::new();
    create(&mut container, &[]);
    let id = container.id.clone();
    assert_eq!(container.runc.see(&["start", &id]).code, Some(0));
    let again = container.runc.see(&["start", &id]);
    let shown = "tiny-runc: cannot start a container that is running\n";
    assert_eq!((again.code, again.stderr.as_str()), (Some(1), shown));
    container.runc.see(&["kill", &id, "KILL"]);
    wait_until("its end", || state(&container)["status"] == "stopped");
    let again = container.runc.see(&["start", &id]);
    let shown = "tiny-runc: cannot start a container that has stopped\n";
    assert_eq!((again.code, again.stderr.as_str()), (Some(1), shown));
}

/// All that can go wrong goes wrong before anybody says `start`.
#[test]
fn create_knows_that_there_is_no_such_command() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["args"] = json!(["no-such-command"]);
    let output = container.command("create", &[]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("no-such-command"), "{stderr}");
    let listed = container.runc.see(&["list", "--quiet"]);
    assert_eq!(listed.stdout, "", "{}", listed.stderr);
    assert!(!container.runc.root().join(&container.id).exists());
}

#[test]
fn delete_takes_what_does_not_run_and_force_the_rest() {
    need_root!();
    let mut container = Container::new();
    let id = container.id.clone();
    create(&mut container, &[]);
    let pid = state(&container)["pid"].to_string();
    let seen = container.runc.see(&["delete", &id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    wait_until("its end", || !is_alive(&pid));

    let started = create(&mut container, &[]);
    container.runc.see(&["start", &id]);
    wait_until("the command's file", || started.exists());
    let pid = state(&container)["pid"].to_string();
    let seen = container.runc.see(&["delete", &id]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("--force"), "{}", seen.stderr);
    assert_eq!(state(&container)["status"], "running");
    let seen = container.runc.see(&["delete", "--force", &id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    wait_until("its end", || !is_alive(&pid));

    assert_eq!(container.runc.see(&["delete", &id]).code, Some(1));
    assert_eq!(
        container.runc.see(&["delete", "--force", &id]).code,
        Some(0)
    );
    // With no such name, this is no success.
    let seen = container.runc.see(&["delete", "--force", "a/b"]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("container ID"), "{}", seen.stderr);
}

/// Somebody may still have to wait for it.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn list_has_a_line_for_each_container() {
    need_root!();
    let mut container = Container::new();
    create(&mut container, &[]);
    let id = container.id.clone();
    let table = container.runc.see(&["list"]).stdout;
    let [head, line] = table.lines().collect::<Vec<_>>()[..] else {
        panic!("{table}");
    };
    let words = |line: &str| {
        line.split_whitespace()
            .take(3)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(words(head), "ID PID STATUS");
    assert_eq!(
        words(line),
        format!("{id} {} created", state(&container)["pid"])
    );
    let json = container.runc.see(&["list", "--format", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["id"], &json[1]), (&json!(id), &Value::Null));
    let quiet = container.runc.see(&["list", "--quiet"]).stdout;
    assert_eq!(quiet, format!("{id}\n"));
}

#[test]
fn a_container_that_waits_can_be_told_to_end() {
    need_root!();
    let mut container = Container::new();
    let started = create(&mut container, &[]);
    let id = container.id.clone();
    let seen = container.runc.see(&["kill", &id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    wait_until("its end", || state(&container)["status"] == "stopped");
    let seen = container.runc.see(&["kill", &id]);
    assert_eq!(seen.code, Some(1));
    assert_eq!(seen.stderr, "tiny-runc: container not running\n");
    assert!(!started.exists());
}
