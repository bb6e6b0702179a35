//! Where a container is in cgroup v2, what it sees, and what it can have there.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::need_cgroup_v2;
use crate::oci::bundle::Bundle;
use crate::support::{Running, wait_until};

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
