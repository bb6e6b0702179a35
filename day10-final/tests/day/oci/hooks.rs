//! Programs that a configuration wants to have run: when, where, and for how long.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, wait_until};

/// Hooks of these kinds, with a line of shell each, in which $1 is the kind.
fn add(container: &mut Container, kinds: &[&str], line: &str) {
    for kind in kinds {
        container.spec["hooks"][kind] = json!([{
            "path": "/bin/sh", "args": ["sh", "-c", line, "sh", kind],
            "env": ["PATH=/usr/bin:/bin"],
        }]);
    }
}

fn run(container: &Container) -> Seen {
    container.command("run", &[]).output().unwrap().into()
}

#[test]
fn each_hook_runs_at_its_moment_and_knows_the_state() {
    need_root!();
    let mut container = Container::new();
    let log = container.ground.place("hooks");
    let kinds = ["prestart", "createRuntime", "createContainer", "poststop"];
    let line = format!("echo $1 $(cat) >>{}", log.display());
    add(&mut container, &kinds, &line);
    container.spec["annotations"] = json!({"who": "me"});
    let seen = container.run("test -e /started && echo started");
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(1), ""));
    let said = fs::read_to_string(log).unwrap();
    let mut lines = said.lines();
    for (kind, status) in kinds
        .into_iter()
        .zip(["creating", "creating", "creating", "stopped"])
    {
        let (found, state) = lines.next().unwrap().split_once(' ').unwrap();
        let state: Value = serde_json::from_str(state).unwrap();
        assert_eq!((found, &state["status"]), (kind, &status.into()));
        assert_eq!(state["id"], container.id.as_str());
        assert_eq!(state["annotations"]["who"], "me");
        let is_inside = kind == "createContainer";
        assert_eq!(state["pid"] == 1, is_inside, "{state}");
    }
    assert_eq!(lines.next(), None);
}

/// By then, the root is the container's. Without an environment of its own, a hook has the command's.
#[test]
fn a_start_hook_is_a_program_of_the_container() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["env"] = json!(["PATH=/usr/bin:/bin", "WHO=me"]);
    container.spec["hooks"]["startContainer"] = json!([{
        "path": "/bin/sh", "args": ["sh", "-c", "echo $WHO in $PWD >/started"],
    }]);
    let seen = container.run("cat /started");
    assert_eq!(seen.stdout, "me in /\n", "{}", seen.stderr);
}

#[test]
fn a_hook_in_the_container_begins_in_its_future_root() {
    need_root!();
    let mut container = Container::new();
    add(&mut container, &["createContainer"], "pwd >begun");
    let seen = container.run("cat /begun");
    let root = container.ground.rootfs().display().to_string();
    assert_eq!(seen.stdout.trim_end(), root, "{}", seen.stderr);
}

/// What is mounted before the root changes is there after it, and only in the container.
#[test]
fn a_hook_in_the_container_reaches_the_hosts_files() {
    need_root!();
    let mut container = Container::new();
    let (secret, target) = (
        container.ground.host().join("secret"),
        container.ground.rootfs().join("given"),
    );
    fs::write(&target, "").unwrap();
    let line = format!("mount --bind {} {}", secret.display(), target.display());
    add(&mut container, &["createContainer"], &line);
    let seen = container.run("cat /given");
    assert_eq!(seen.stdout, "the host's\n", "{}", seen.stderr);
    assert_eq!(fs::read_to_string(target).unwrap(), "");
}

#[test]
fn a_hook_that_fails_is_the_end_and_the_last_ones_run() {
    need_root!();
    for kind in ["createRuntime", "createContainer", "poststart"] {
        let mut container = Container::new();
        let log = container.ground.place("hooks");
        add(&mut container, &[kind], "echo no driver >&2; exit 3");
        let line = format!("cat >/dev/null; echo $1 >>{}", log.display());
        add(&mut container, &["poststop"], &line);
        container.runs("sleep 1000");
        let seen = run(&container);
        assert_eq!(seen.code, Some(1));
        let reason = format!("error running {kind} hook #0: exit status: 3: no driver");
        assert!(seen.stderr.contains(&reason), "{}", seen.stderr);
        assert_eq!(fs::read_to_string(log).unwrap(), "poststop\n");
        assert_eq!(container.runc.see(&["state", &container.id]).code, Some(1));
    }
}

#[test]
fn a_hook_that_never_ends_is_killed_after_its_time() {
    need_root!();
    let mut container = Container::new();
    add(&mut container, &["createRuntime"], "exec sleep 1000");
    container.spec["hooks"]["createRuntime"][0]["timeout"] = 1.into();
    let begin = Instant::now();
    let seen = run(&container);
    assert!(begin.elapsed() < Duration::from_secs(60));
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.contains("it has not ended after 1 s"),
        "{}",
        seen.stderr
    );
}

#[test]
fn no_time_is_too_long_for_a_clock() {
    need_root!();
    let mut container = Container::new();
    add(&mut container, &["createRuntime"], "true");
    container.spec["hooks"]["createRuntime"][0]["timeout"] = i64::MAX.into();
    let seen = container.run("echo runs");
    assert_eq!(seen.stdout, "runs\n", "{}", seen.stderr);
}

/// Half of a container is of no use to anybody.
#[test]
fn a_signal_does_not_end_create_halfway() {
    need_root!();
    let mut container = Container::new();
    let began = container.ground.place("began");
    let line = format!("touch {}; sleep 1", began.display());
    add(&mut container, &["createRuntime"], &line);
    container.runs("true");
    let mut create = container.command("create", &[]).spawn().unwrap();
    wait_until("the hook", || began.exists());
    kill(Pid::from_raw(create.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(create.wait().unwrap().code(), Some(0));
    let seen = container.runc.see(&["state", &container.id]);
    assert!(seen.stdout.contains("\"created\""), "{}", seen.stdout);
}

/// None of this fits into a pipe, and a process that goes on keeps open what its parent had.
#[test]
fn a_hook_need_not_read_and_may_say_much_and_leave_somebody() {
    need_root!();
    let mut container = Container::new();
    let line = "head -c 200000 /dev/zero | tr '\\0' x >&2; sleep 20 & true";
    add(&mut container, &["createRuntime"], line);
    container.spec["annotations"] = json!({"long": "x".repeat(200_000)});
    container.spec["hooks"]["createRuntime"][0]["timeout"] = 60.into();
    let begin = Instant::now();
    let seen = container.run("echo runs");
    assert_eq!(seen.stdout, "runs\n", "{}", seen.stderr);
    assert!(begin.elapsed() < Duration::from_secs(15));
}
