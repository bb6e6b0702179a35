//! The processes of a container in cgroup v2: where they are, how they stop, and how they end.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::need_cgroup_v2;
use crate::oci::bundle::Bundle;
use crate::support::{Running, wait_until};

#[test]
fn a_paused_container_stands_still_and_can_be_killed() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    bundle.create();
    bundle.done(&["pause"], &[]);
    assert_eq!(bundle.status(), "paused");
    assert_eq!(bundle.call(&["start"], &[]).code, Some(1));
    bundle.done(&["resume"], &[]);
    assert_eq!(bundle.status(), "created");
    bundle.done(&["start"], &[]);
    bundle.done(&["pause"], &[]);
    assert_eq!(bundle.status(), "paused");
    assert_eq!(bundle.file("cgroup.freeze"), "1");
    assert!(bundle.file("cgroup.events").contains("frozen 1"));
    let seen = bundle.call(&["exec"], &["true"]);
    assert!(
        seen.stderr.contains("cannot exec in a paused"),
        "{}",
        seen.stderr
    );
    bundle.done(&["update", "--pids-limit", "50"], &[]);
    assert_eq!(
        (bundle.file("cgroup.freeze"), bundle.file("pids.max")),
        ("1".into(), "50".into())
    );
    bundle.done(&["resume"], &[]);
    assert_eq!(bundle.status(), "running");
    bundle.done(&["exec"], &["true"]);
    bundle.done(&["pause"], &[]);
    bundle.done(&["kill"], &["KILL"]);
    wait_until("its end", || bundle.status() == "stopped");
    bundle.done(&["delete"], &[]);
    assert!(!bundle.group().exists());
}

/// Without a PID namespace, the end of the first process is not the end of the others.
#[test]
fn none_is_left_when_a_container_goes() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    bundle.script("sleep 1000 & sleep 1000 & sleep 1000 & exec sleep 1000");
    bundle.change(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    });
    let start = || {
        bundle.start();
        wait_until("four processes", || bundle.processes() == 4);
    };
    start();
    bundle.done(&["kill"], &["KILL"]);
    wait_until("its end", || bundle.status() == "stopped");
    bundle.done(&["delete"], &[]);
    assert!(!bundle.group().exists());
    start();
    bundle.done(&["pause"], &[]);
    bundle.done(&["delete", "-f"], &[]);
    assert!(!bundle.group().exists());
}

/// It may write there, and has moved its first process below: from then on, the kernel takes nobody in its own cgroup.
#[test]
fn exec_follows_a_container_that_has_cgroups_of_its_own() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    bundle.change(|spec| {
        for mount in spec["mounts"].as_array_mut().unwrap() {
            if mount["type"] == "cgroup" {
                mount["options"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|option| option != "ro");
            }
        }
    });
    let divide = "mkdir a b; echo 0 >a/cgroup.procs; echo +pids >cgroup.subtree_control";
    bundle.script(&format!("cd /sys/fs/cgroup; {divide}; exec sleep 1000"));
    bundle.start();
    wait_until("its cgroups", || {
        bundle.file("cgroup.subtree_control") == "pids"
    });
    let exec = |options: &[&str]| {
        let words = [&["exec"], options].concat();
        bundle.call(&words, &["cat", "/proc/self/cgroup"])
    };
    assert_eq!(exec(&[]).stdout, "0::/a\n");
    assert_eq!(exec(&["--cgroup", "b"]).stdout, "0::/b\n");
    for bad in ["../b", "nonsense", "/"] {
        assert_ne!(exec(&["--cgroup", bad]).code, Some(0), "{bad}");
    }
    bundle.done(&["pause"], &[]);
    assert!(
        fs::read_to_string(bundle.group().join("a/cgroup.events"))
            .unwrap()
            .contains("frozen 1")
    );
    bundle.done(&["delete", "-f"], &[]);
    assert!(!bundle.group().exists());
}

#[test]
fn a_container_sees_only_its_own_cgroup() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({"pids": {"limit": 30}}));
    bundle.script("cat /proc/self/cgroup /sys/fs/cgroup/pids.max; echo 5 >/sys/fs/cgroup/pids.max");
    let seen = bundle.run(&[]);
    assert_eq!(seen.stdout, "0::/\n30\n");
    assert!(
        seen.stderr.contains("Read-only file system"),
        "{}",
        seen.stderr
    );
    // Without a namespace, its path is the host's, and begins at the top.
    bundle.script(&format!(
        "cat /proc/self/cgroup /sys/fs/cgroup/{}/pids.max",
        bundle.id
    ));
    bundle.change(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "cgroup");
    });
    assert_eq!(bundle.run(&[]).stdout, format!("0::/{}\n30\n", bundle.id));
}

/// Somebody's processes are in the cgroup above: only controllers that count for each thread can be had below it.
#[test]
fn below_a_cgroup_with_processes_some_limits_cannot_be_had() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({"pids": {"limit": 5}}));
    let above = bundle.group();
    fs::create_dir(&above).unwrap();
    let mut sleep = Command::new("sleep");
    let sleeper = Running::start(sleep.arg("1000"));
    fs::write(above.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
    let busy = bundle.run(&["-d"]);
    assert!(
        busy.stderr.contains("container's cgroup is not empty: 1"),
        "{}",
        busy.stderr
    );
    let below = format!("/{}/below", bundle.id);
    bundle.change(|spec| spec["linux"]["cgroupsPath"] = below.clone().into());
    let group = Path::new("/sys/fs/cgroup").join(&below[1..]);
    bundle.start();
    assert_eq!(
        fs::read_to_string(group.join("cgroup.type")).unwrap(),
        "threaded\n"
    );
    assert_eq!(fs::read_to_string(group.join("pids.max")).unwrap(), "5\n");
    bundle.done(&["delete", "-f"], &[]);
    assert!(!group.exists());
    bundle.limit(json!({"memory": {"limit": 50_000_000}}));
    let seen = bundle.run(&[]);
    assert!(
        seen.stderr
            .contains("with domain controllers, it cannot be entered"),
        "{}",
        seen.stderr
    );
    assert!(!group.exists());
    drop(sleeper);
    wait_until("the cgroup removed", || fs::remove_dir(&above).is_ok());
}
