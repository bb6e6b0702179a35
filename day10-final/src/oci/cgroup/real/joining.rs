//! Where the processes that `exec` starts go.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nix::unistd::Pid;
use serde_json::json;

use super::{made, shell};
use crate::oci::cgroup::file;
use crate::oci::cgroup::join::parse_below;
use crate::oci::cgroup::v1::cpuset;

#[test]
fn exec_joins_the_container_or_a_cgroup_below() {
    let Some(made) = made(&json!({})) else { return };
    let [mut init, mut other] = [shell("true"), shell("true")];
    let [pid, second] = [&init, &other].map(|shell| Pid::from_raw(shell.id() as i32));
    made.enter(pid);
    for (controller, group) in &made.0.paths {
        match controller.as_str() {
            // Without CPUs, it would take nobody.
            "cpuset" => cpuset::create(&group.join("foo")).unwrap(),
            _ => fs::create_dir(group.join("foo")).unwrap(),
        }
    }
    let group_of = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let none = BTreeMap::new();
    made.0.join(second, pid, &none).unwrap();
    assert_eq!(group_of(second), group_of(pid));
    made.0
        .join(second, pid, &parse_below(&["foo".to_owned()]).unwrap())
        .unwrap();
    assert!(
        group_of(second)
            .lines()
            .filter(|line| line.ends_with("/foo"))
            .count()
            > 0
    );
    for bad in ["../foo", "nonsense:foo", "bar"] {
        let below = parse_below(&[bad.to_owned()]).unwrap();
        let joined = made.0.join(second, pid, &below);
        // An ordinary user's process may stay where it is, if there is no such cgroup.
        assert!(joined.is_err() || made.0.rootless && bad == "bar", "{bad}");
    }

    if let Some(group) = made.0.paths.get("").filter(|_| made.0.is_unified) {
        // The container manages its cgroups itself, and now its own takes no processes.
        made.0
            .join(
                pid,
                pid,
                &BTreeMap::from([(String::new(), PathBuf::from("foo"))]),
            )
            .unwrap();
        file::write(group, "cgroup.subtree_control", "+memory").unwrap();
        let mut third = shell("true");
        let pid_of_third = Pid::from_raw(third.id() as i32);
        made.0.join(pid_of_third, pid, &none).unwrap();
        assert_eq!(group_of(pid_of_third), group_of(pid));
        third.kill().and_then(|()| third.wait()).unwrap();
    }
    for shell in [&mut init, &mut other] {
        shell.kill().and_then(|()| shell.wait()).unwrap();
    }
}
