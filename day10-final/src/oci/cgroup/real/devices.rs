//! What processes can do with devices, in both versions.

use nix::unistd::geteuid;
use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use super::{Made, made};
use crate::oci::cgroup::devices::{attach, policy::Policy, program};

fn made_by_root(resources: &Value) -> Option<Made> {
    if !geteuid().is_root() {
        println!("skipped: only root can make rules for devices");
        return None;
    }
    made(resources)
}

/// Whether a process may read the kernel's log, and write to /dev/null.
const TRY: &str = "(exec </dev/kmsg) 2>/dev/null && echo log; (exec >/dev/null) && echo null";

#[test]
fn only_listed_devices_can_be_opened() {
    let kmsg = json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"});
    let Some(made) = made_by_root(&json!({"devices": [{"allow": false, "access": "rwm"}]})) else {
        return;
    };
    assert_eq!(made.run(TRY), "null\n");
    let rules = json!({"devices": [{"allow": false, "access": "rwm"}, kmsg]});
    made.0.set(&serde_json::from_value(rules).unwrap()).unwrap();
    assert_eq!(made.run(TRY), "log\nnull\n");
    let rules = json!({"devices": [{"allow": false, "access": "rwm"}]});
    made.0.set(&serde_json::from_value(rules).unwrap()).unwrap();
    assert_eq!(made.run(TRY), "null\n");
}

/// Also on a hybrid host, the hierarchy of version 2 can decide about devices.
#[test]
fn the_program_decides_about_devices() {
    let everything = json!({"devices": [{"allow": true, "access": "rwm"}]});
    let Some(made) = made_by_root(&everything) else {
        return;
    };
    let Some(group) = made.0.paths.get("") else {
        return println!("skipped: this host has no cgroup v2");
    };
    let use_rules = |rules: Value| {
        let rules: LinuxResources = serde_json::from_value(json!({ "devices": rules })).unwrap();
        let policy = Policy::of(rules.devices().as_ref().unwrap()).unwrap();
        attach::attach(group, &program::assemble(&policy).unwrap()).unwrap();
    };
    let rule = |allow, access| json!({"allow": allow, "type": "c", "major": 1, "minor": 11, "access": access});
    let all = json!({"allow": true, "access": "rwm"});
    assert_eq!(made.run(TRY), "log\nnull\n");
    use_rules(json!([]));
    assert_eq!(made.run(TRY), "null\n");
    use_rules(json!([rule(true, "r")]));
    assert_eq!(made.run(TRY), "log\nnull\n");
    use_rules(json!([rule(true, "w")]));
    assert_eq!(made.run(TRY), "null\n");
    use_rules(json!([all, rule(false, "w")]));
    assert_eq!(made.run(TRY), "log\nnull\n");
    // To read and write at once is to write.
    assert_eq!(made.run("(exec 3<>/dev/kmsg) 2>/dev/null && echo both"), "");
    use_rules(json!([all]));
    assert_eq!(made.run("(exec 3<>/dev/kmsg) && echo both"), "both\n");
}
