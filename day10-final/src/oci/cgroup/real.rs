//! Tests with real cgroups, in every hierarchy. Where they cannot be created, they say so.
//!
//! TINY_RUNC_TEST_CGROUP may name a cgroup for them, instead of the top.

mod devices;
mod joining;
mod usage;

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};

use super::*;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Cgroups that are removed in the end.
struct Made(Groups);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.kill_all().unwrap();
        self.0.remove().unwrap();
    }
}

/// New cgroups with these limits, or none on a host that does not let us.
fn made(resources: &Value) -> Option<Made> {
    let top = std::env::var("TINY_RUNC_TEST_CGROUP").unwrap_or_default();
    let (pid, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = PathBuf::from(format!("/{top}/tiny-runc-test-{pid}-{number}"));
    let mut groups = plan::plan(Some(&path), "test", !geteuid().is_root()).unwrap();
    let resources = serde_json::from_value(resources.clone()).unwrap();
    if let Err(error) = groups.create(&resources) {
        let may_skip = std::env::var_os("TINY_DOCKER_REQUIRE").is_none() || !geteuid().is_root();
        assert!(may_skip, "{error:#}");
        println!("skipped: {error:#}");
        return None;
    }
    let made = Made(groups);
    made.0.set(&resources).unwrap();
    Some(made)
}

impl Made {
    /// The contents of a file, by its names in version 1 and 2.
    fn value(&self, v1: &str, v2: &str) -> String {
        let name = if self.0.is_unified { v2 } else { v1 };
        let group = self.0.path(v1.split('.').next().unwrap()).unwrap();
        file::read(group, name).unwrap().trim().to_owned()
    }

    fn update(&self, resources: Value) -> Result<()> {
        self.0.update(&serde_json::from_value(resources).unwrap())
    }

    /// Takes a process into the cgroups.
    fn enter(&self, pid: Pid) {
        self.0.join(pid, pid, &BTreeMap::new()).unwrap();
    }

    /// No other container may take the cgroups, for this reason.
    fn refuses(&self, reason: &str) {
        let created = self.0.clone().create(&LinuxResources::default());
        let error = created.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }

    /// What a shell prints that runs in the cgroups.
    fn run(&self, script: &str) -> String {
        let mut shell = shell(script);
        self.enter(Pid::from_raw(shell.id() as i32));
        shell.stdin.take().unwrap().write_all(b"go\n").unwrap();
        String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap()
    }
}

/// A shell that waits for a line, and then runs the `script`.
fn shell(script: &str) -> Child {
    let script = format!("read go; {script}");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn limits_are_what_was_asked_for() {
    let resources = json!({
        "memory": {"limit": 33554432, "reservation": 25165824, "swap": 50331648},
        "cpu": {"shares": 100, "quota": 500000, "period": 1000000, "cpus": "0"},
        "pids": {"limit": 20},
    });
    let Some(made) = made(&resources) else { return };
    let is_unified = made.0.is_unified;
    assert_eq!(
        made.value("memory.limit_in_bytes", "memory.max"),
        "33554432"
    );
    assert_eq!(
        made.value("memory.soft_limit_in_bytes", "memory.low"),
        "25165824"
    );
    assert_eq!(made.value("pids.max", "pids.max"), "20");
    assert_eq!(
        made.value("cpu.shares", "cpu.weight"),
        if is_unified { "17" } else { "100" }
    );
    let quota = if is_unified {
        "500000 1000000"
    } else {
        "500000"
    };
    assert_eq!(made.value("cpu.cfs_quota_us", "cpu.max"), quota);
    assert_eq!(made.value("cpuset.cpus", "cpuset.cpus"), "0");

    // Now and then the memory's new limit is above the old one of both, or the new one of both below the old one.
    for (memory, both) in [(30, 50), (60, 80), (20, 30), (100, 100)] {
        let [memory, both] = [memory << 20, both << 20];
        made.update(json!({"memory": {"limit": memory, "swap": both}}))
            .unwrap();
        assert_eq!(
            made.value("memory.limit_in_bytes", "memory.max"),
            memory.to_string()
        );
    }
    let old = serde_json::from_value(resources).unwrap();
    let new = update::flags::resources([("cpu-share", "200"), ("cpu-period", "1")]).unwrap();
    made.0.change(&old, &new).unwrap_err();
    let shares = if is_unified { "17" } else { "100" };
    assert_eq!(made.value("cpu.shares", "cpu.weight"), shares);
    made.update(json!({"memory": {"limit": -1}, "pids": {"limit": 0}}))
        .unwrap();
    assert_eq!(made.value("pids.max", "pids.max"), "1");
}

#[test]
fn what_has_gone_comes_back_with_its_limits() {
    let resources = json!({"pids": {"limit": 20}});
    let Some(made) = made(&resources) else { return };
    made.0.remove().unwrap();
    let resources = serde_json::from_value(resources).unwrap();
    made.0.restore(&resources).unwrap();
    assert_eq!(made.value("pids.max", "pids.max"), "20");
    assert_eq!(made.run("echo there"), "there\n");
}

#[test]
fn a_refused_limit_is_named() {
    let Some(made) = made(&json!({"pids": {"limit": 5}})) else {
        return;
    };
    let error = made
        .update(json!({"cpu": {"period": 1}}))
        .unwrap_err()
        .to_string();
    assert!(error.contains("linux.resources.cpu.period"), "{error}");
    assert!(error.contains("invalid argument"), "{error}");
    let error = made
        .update(json!({"unified": {"nonsense.max": "1"}}))
        .unwrap_err()
        .to_string();
    let (v1, v2) = ("needs cgroup v2", "controller \"nonsense\" not available");
    assert!(
        error.contains(if made.0.is_unified { v2 } else { v1 }),
        "{error}"
    );
}

#[test]
fn a_container_is_paused_and_killed() {
    let Some(made) = made(&json!({})) else { return };
    let mut child = shell("sleep 60 & sleep 60 & wait");
    made.enter(Pid::from_raw(child.id() as i32));
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    while made.0.pids().unwrap().len() < 3 {}
    // Cgroups that the container has created are removed as well.
    let below = made
        .0
        .directories()
        .into_iter()
        .map(|group| group.join("a/b"));
    below.for_each(|below| fs::create_dir_all(below).unwrap());
    made.refuses("container's cgroup is not empty: 3");
    assert!(!made.0.is_frozen().unwrap());
    made.0.freeze().unwrap();
    assert!(made.0.is_frozen().unwrap());
    made.0.thaw().unwrap();
    assert!(!made.0.is_frozen().unwrap());
    made.0.freeze().unwrap();
    // Our own child stays in its cgroup until we have waited for it.
    let waiter = std::thread::spawn(move || child.wait());
    made.0.kill_all().unwrap();
    assert!(made.0.pids().unwrap().is_empty());
    assert!(!waiter.join().unwrap().unwrap().success());
}

#[test]
fn a_frozen_cgroup_is_not_taken() {
    let Some(made) = made(&json!({})) else { return };
    made.0.freeze().unwrap();
    made.refuses("container's cgroup unexpectedly frozen");
    made.0.thaw().unwrap();
}

/// An ordinary user of cgroup v1 has none, and on most hosts of v2 as well.
#[test]
fn without_permission_only_limits_fail() {
    let create = |path, resources: Value| {
        let mut groups = plan::plan(path, "tiny-runc-test", true).unwrap();
        let resources = serde_json::from_value(resources).unwrap();
        let created = groups
            .create(&resources)
            .and_then(|()| groups.set(&resources));
        groups.remove().unwrap();
        created.map_err(|error| error.to_string())
    };
    let path = Path::new("/tiny-runc-test-forbidden");
    let Err(error) = create(Some(path), json!({})) else {
        return println!("skipped: this user may create cgroups");
    };
    assert!(error.contains("permission denied"), "{error}");
    assert_eq!(create(None, json!({})), Ok(()));
    let Err(error) = create(None, json!({"pids": {"limit": 5}})) else {
        return println!("skipped: this user has a cgroup to create others in");
    };
    let messages = [
        "cannot set pids limit: container could not join",
        "rootless needs no limits",
    ];
    assert!(
        messages.iter().any(|message| error.contains(message)),
        "{error}"
    );
}
