//! Limits in cgroup v2: how they are converted, and what it does not have.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, groups, skip};

/// Runs a line of shell in a container with these limits. For tiny-runc, nothing but version 2 is mounted, as on a host
/// that has no other. (On a hybrid host, version 1 keeps most of the controllers.)
fn run(container: &mut Container, resources: &Value, line: &str) -> Seen {
    container.spec["linux"]["resources"] = resources.clone();
    container.spec["linux"]["cgroupsPath"] = "/{id}".into();
    container.runs(line);
    let run = container.command("run", &[]);
    let only_v2 =
        "umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$0\" \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", only_v2]);
    unshare.arg(run.get_program()).args(run.get_args());
    unshare.output().unwrap().into()
}

#[test]
fn files_of_version_2_are_written_as_they_are() {
    need_root!();
    let mut container = Container::new();
    let own = "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)";
    let look = format!("cat {own}/cgroup.max.descendants {own}/cgroup.max.depth");
    // Of several lines, each is written.
    let unified = json!({"cgroup.max.descendants": "7\n5", "cgroup.max.depth": "3"});
    let seen = run(&mut container, &json!({ "unified": unified }), &look);
    assert_eq!(seen.stdout, "5\n3\n", "{}", seen.stderr);
}

#[test]
fn what_version_2_cannot_do_is_refused_by_name() {
    need_root!();
    let mut container = Container::new();
    for (resources, words) in [
        (
            json!({"memory": {"swap": 100_000_000}}),
            "memory.swap: unable to set swap limit without memory limit",
        ),
        (
            json!({"memory": {"limit": 60_000_000, "swap": 50_000_000}}),
            "memory+swap limit should be >= memory limit",
        ),
        (
            json!({"memory": {"swappiness": 10}}),
            "linux.resources.memory.swappiness needs cgroup v1",
        ),
        (
            json!({"memory": {"disableOOMKiller": true}}),
            "linux.resources.memory.disableOOMKiller needs cgroup v1",
        ),
        (
            json!({"cpu": {"realtimeRuntime": 1000}}),
            "linux.resources.cpu.realtimeRuntime needs cgroup v1",
        ),
        (
            json!({"unified": {"nonsense.max": "1"}}),
            "controller \"nonsense\" not available",
        ),
        (
            json!({"unified": {"../pids.max": "1"}}),
            "must be a file name",
        ),
        (json!({"unified": {"max": "1"}}), "CONTROLLER.PARAMETER"),
        (
            json!({"unified": {"cgroup.max.depth": "deep"}}),
            "unified[cgroup.max.depth] to \"deep\"",
        ),
    ] {
        let seen = run(&mut container, &resources, "true");
        assert_eq!(seen.code, Some(1), "{resources}");
        assert!(seen.stderr.contains(words), "{resources}: {}", seen.stderr);
        assert!(groups(&container.id).is_empty(), "{resources}");
    }
}

#[test]
fn a_value_of_zero_asks_for_nothing() {
    need_root!();
    let mut container = Container::new();
    let nothing = json!({
        "memory": {"limit": 0, "reservation": 0, "swap": 0, "disableOOMKiller": false},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0, "cpus": ""},
    });
    let seen = run(&mut container, &nothing, "echo runs");
    assert_eq!(seen.stdout, "runs\n", "{}", seen.stderr);
}

#[test]
fn in_version_1_there_are_no_files_of_version_2() {
    need_root!();
    if fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap() {
        return skip("controllers of cgroup v1");
    }
    let mut container = Container::new();
    container.spec["linux"]["resources"] = json!({"unified": {"cgroup.max.depth": "3"}});
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr
            .contains("linux.resources.unified needs cgroup v2"),
        "{}",
        seen.stderr
    );
}
