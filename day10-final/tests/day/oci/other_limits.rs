//! Limits for disks, huge pages, RDMA devices and packets.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, groups, skip};

/// Sees what `run` says about these limits.
fn try_limits(container: &mut Container, resources: &Value, line: &str) -> Seen {
    container.spec["linux"]["resources"] = resources.clone();
    container.run(line)
}

/// Whether a controller of version 1 is mounted.
fn has_v1(controller: &str) -> bool {
    fs::exists(format!("/sys/fs/cgroup/{controller}/cgroup.procs")).unwrap()
}

/// The number of any disk, as "7:0".
fn disk() -> Option<String> {
    let disk = fs::read_dir("/sys/block").ok()?.next()?.ok()?.path();
    let numbers = fs::read_to_string(disk.join("dev")).ok()?;
    Some(numbers.trim().to_owned())
}

#[test]
fn a_disk_has_limits_of_its_own() {
    need_root!();
    let Some(disk) = disk().filter(|_| has_v1("blkio")) else {
        return skip("a disk, and the blkio controller of cgroup v1");
    };
    let (major, minor) = disk.split_once(':').unwrap();
    let [major, minor] = [major, minor].map(|number| number.parse::<u32>().unwrap());
    let limit = |rate: u64| json!([{"major": major, "minor": minor, "rate": rate}]);
    let resources = json!({"blockIO": {
        "throttleReadBpsDevice": limit(1_000_000), "throttleWriteIOPSDevice": limit(100),
    }});
    let look = "cd /sys/fs/cgroup/blkio; cat blkio.throttle.read_bps_device blkio.throttle.write_iops_device";
    let seen = try_limits(&mut Container::new(), &resources, look);
    let expected = format!("{disk} 1000000\n{disk} 100\n");
    assert_eq!(seen.stdout, expected, "{}", seen.stderr);
}

#[test]
fn a_limit_that_cannot_be_set_is_an_error() {
    need_root!();
    let mut container = Container::new();
    let nothing = json!([{"major": 4095, "minor": 9, "rate": 1}]);
    for (resources, words) in [
        (
            json!({"rdma": {"no such device": {"hcaHandles": 3}}}),
            "rdma",
        ),
        (
            json!({"blockIO": {"throttleReadBpsDevice": nothing}}),
            "blockIO",
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}),
            "huge",
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "../2MB", "limit": 0}]}),
            "\"../2MB\" is no page size, such as 2MB",
        ),
        (
            json!({"network": {"priorities": [{"name": "no such interface", "priority": 5}]}}),
            "net",
        ),
    ] {
        let seen = try_limits(&mut container, &resources, "true");
        assert_eq!(seen.code, Some(1), "{resources}");
        assert!(seen.stderr.contains(words), "{resources}: {}", seen.stderr);
        assert!(groups(&container.id).is_empty(), "{resources}");
    }
}

#[test]
fn without_the_controller_a_hint_says_where_to_look() {
    need_root!();
    if fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap() || has_v1("rdma") {
        return skip("cgroup v1 without the rdma controller");
    }
    let limit = json!({"rdma": {"mlx5_1": {"hcaHandles": 3}}});
    let seen = try_limits(&mut Container::new(), &limit, "true");
    let expected = "cannot set rdma limit: container could not join or create cgroup\n\
                    hint: see whether this host has the controller in /proc/cgroups, and mounts it\n";
    assert!(seen.stderr.ends_with(expected), "{}", seen.stderr);
}

/// For tiny-runc, nothing but version 2 is mounted here, as on a host that has no other.
#[test]
fn what_only_version_1_has_is_refused_in_version_2() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["cgroupsPath"] = "/{id}".into();
    for (resources, words) in [
        (
            json!({"network": {"classID": 5}}),
            "linux.resources.network.classID needs cgroup v1",
        ),
        (
            json!({"network": {"priorities": [{"name": "lo", "priority": 5}]}}),
            "linux.resources.network.priorities needs cgroup v1",
        ),
        (
            json!({"blockIO": {"leafWeight": 100}}),
            "linux.resources.blockIO.leafWeight needs cgroup v1",
        ),
        // Less than 10 is none: the kernel refuses the 0.
        (json!({"blockIO": {"weight": 5}}), "blockIO.weight to \"0\""),
    ] {
        container.spec["linux"]["resources"] = resources.clone();
        container.runs("true");
        let run = container.command("run", &[]);
        let only_v2 = "umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$0\" \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", only_v2]);
        unshare.arg(run.get_program()).args(run.get_args());
        let seen: Seen = unshare.output().unwrap().into();
        assert_eq!(seen.code, Some(1), "{resources}");
        assert!(seen.stderr.contains(words), "{resources}: {}", seen.stderr);
    }
}
