//! `linux.resources` in cgroup v2: what the kernel's files say after `run`, and after `update`.

use nix::unistd::geteuid;
use serde_json::{Value, json};

use crate::oci::bundle::Bundle;
use crate::support::{has_cgroup_v2, leave_to, wait_until};
use crate::{need_cgroup_v2, need_cgroups};

const MIB: u64 = 1 << 20;

#[test]
fn the_kernel_is_told_each_limit() {
    need_cgroup_v2!();
    let bundle = Bundle::running(json!({
        "memory": {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 96 * MIB},
        "cpu": {"shares": 512, "quota": 150_000, "period": 200_000, "burst": 10_000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 20},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}],
        "blockIO": {
            "weight": 500,
            "throttleReadBpsDevice": [{"major": 7, "minor": 0, "rate": 1_000_000}],
            "throttleWriteIOPSDevice": [{"major": 7, "minor": 0, "rate": 100}],
        },
        "unified": {"memory.high": (60 * MIB).to_string(), "memory.oom.group": "1"},
    }));
    for (name, expected) in [
        ("memory.max", "67108864"),
        ("memory.low", "33554432"),
        // Both together are 96 MiB.
        ("memory.swap.max", "33554432"),
        ("memory.high", "62914560"),
        ("memory.oom.group", "1"),
        ("cpu.weight", "59"),
        ("cpu.max", "150000 200000"),
        ("cpu.max.burst", "10000"),
        ("cpuset.cpus", "0"),
        ("cpuset.mems", "0"),
        ("pids.max", "20"),
        ("hugetlb.2MB.max", "4194304"),
        ("hugetlb.2MB.rsvd.max", "4194304"),
        ("io.weight", "default 4950"),
        ("io.max", "7:0 rbps=1000000 wbps=max riops=max wiops=100"),
    ] {
        assert_eq!(bundle.file(name), expected, "{name}");
    }
    let seen = bundle.done(&["exec"], &["cat", "/proc/self/cgroup"]);
    assert_eq!(seen, "0::/\n");
}

#[test]
fn an_update_changes_what_it_mentions() {
    need_cgroup_v2!();
    let bundle = Bundle::running(json!({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}}));
    for (options, name, expected) in [
        (
            "--memory 33554432 --memory-swap 50331648",
            "memory.max",
            "33554432",
        ),
        ("--memory-swap -1", "memory.swap.max", "max"),
        ("--memory -1", "memory.max", "max"),
        ("--memory-reservation 20971520", "memory.low", "20971520"),
        ("--cpu-share 512", "cpu.weight", "59"),
        ("--cpu-quota 30000", "cpu.max", "30000 100000"),
        ("--cpu-period 50000", "cpu.max", "30000 50000"),
        (
            "--cpu-quota 40000 --cpu-burst 20000",
            "cpu.max.burst",
            "20000",
        ),
        ("--cpu-quota -1", "cpu.max", "max 50000"),
        ("--cpuset-cpus 0", "cpuset.cpus", "0"),
        ("--pids-limit 40", "pids.max", "40"),
        ("--blkio-weight 300", "io.weight", "default 2930"),
        ("--cpu-idle 1", "cpu.idle", "1"),
    ] {
        let words: Vec<_> = options.split(' ').collect();
        bundle.done(&[&["update"], &words[..]].concat(), &[]);
        assert_eq!(bundle.file(name), expected, "{options}");
    }
    assert_eq!(bundle.file("pids.max"), "40");
    // Of several, all or none.
    let seen = bundle.call(&["update", "--pids-limit", "50", "--cpu-period", "5"], &[]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.contains("linux.resources.cpu."),
        "{}",
        seen.stderr
    );
    assert_eq!(bundle.file("cpu.max"), "max 50000");
}

/// A process must be able to start where no second one may be. In both versions.
#[test]
fn one_process_is_few_but_enough() {
    need_cgroups!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let unified = has_cgroup_v2().then(|| json!({"unified": {"pids.max": "1"}}));
    for resources in [json!({"pids": {"limit": 1}})].into_iter().chain(unified) {
        let bundle = Bundle::running(resources);
        assert_eq!(bundle.done(&["exec"], &["cat", "/proc/self/comm"]), "cat\n");
        let seen = bundle.call(&["exec"], &["sh", "-c", "true | cat"]);
        assert_ne!(seen.code, Some(0), "{}", seen.stdout);
    }
}

#[test]
fn a_limit_that_the_kernel_refuses_is_named() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    for (resources, words) in [
        (
            json!({"memory": {"swap": MIB}}),
            "memory.swap: unable to set swap limit without",
        ),
        (
            json!({"memory": {"limit": MIB, "swappiness": 5}}),
            "memory.swappiness needs cgroup v1",
        ),
        (
            json!({"memory": {"limit": 4096}}),
            "has run out of memory: linux.resources.memory.limit",
        ),
        (json!({"cpu": {"cpus": "4000"}}), "cpu.cpus to \"4000\""),
        (
            json!({"cpu": {"realtimePeriod": 1000}}),
            "cpu.realtimePeriod needs cgroup v1",
        ),
        (json!({"blockIO": {"weight": 5}}), "blockIO.weight to \"0\""),
        (
            json!({"blockIO": {"leafWeight": 100}}),
            "blockIO.leafWeight needs cgroup v1",
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}),
            "hugepageLimits[3MB].limit",
        ),
        (
            json!({"network": {"classID": 5}}),
            "network.classID needs cgroup v1",
        ),
        (
            json!({"unified": {"memory.max": "much"}}),
            "unified[memory.max] to \"much\"",
        ),
        (
            json!({"unified": {"nonsense.max": "1"}}),
            "controller \"nonsense\" not available",
        ),
        (
            json!({"unified": {"../pids.max": "1"}}),
            "must be a file name",
        ),
    ] {
        bundle.limit(resources.clone());
        let seen = bundle.run(&[]);
        assert_eq!(seen.code, Some(1), "{resources}");
        assert!(seen.stderr.contains(words), "{resources}: {}", seen.stderr);
        assert!(!bundle.group().exists(), "{resources}");
    }
}

#[test]
fn events_tell_what_is_used_and_what_is_not_enough() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({
        "memory": {"limit": 16 * MIB, "swap": 16 * MIB},
        "cpu": {"quota": 50_000},
        "pids": {"limit": 20},
    }));
    bundle.script("until [ -e /go ]; do sleep 0.1; done; head -c 50000000 /dev/zero | tail -n 1; exec sleep 1000");
    bundle.start();
    let stats = |name: &str| {
        let line = bundle.done(&["events", "--stats"], &[]);
        let event: Value = serde_json::from_str(&line).unwrap();
        event["data"].pointer(name).cloned().unwrap_or_default()
    };
    assert_eq!(stats("/memory/usage/limit"), 16 * MIB);
    assert_eq!(stats("/memory/swap/limit"), 16 * MIB);
    assert_eq!(stats("/pids/limit"), 20);
    assert!(stats("/cpu/usage/total").as_u64().unwrap() > 0);
    assert_eq!(stats("/memory/raw/oom_kill"), Value::Null);
    bundle.done(&["exec"], &["touch", "/go"]);
    wait_until("a process killed", || {
        bundle.file("memory.events").contains("oom_kill 1")
    });
    assert_eq!(bundle.status(), "running");
}

/// Each set of rules, and what the container can do with /dev/kmsg, a character device that is not for it; and with a
/// block device.
#[test]
fn rules_for_devices_are_in_force() {
    need_cgroup_v2!();
    let bundle = Bundle::new(json!({}));
    let tries = "mknod /kmsg c 1 11 && echo made; (: </kmsg) && echo read; [ -c /kmsg ] && (: >>/kmsg) && echo written; \
                 mknod /loop b 7 0 && (: </loop) && echo block; (: </dev/null) && echo null; rm -f /kmsg /loop";
    bundle.script(&format!("exec 2>/dev/null; {tries}"));
    bundle.change(|spec| {
        for set in ["bounding", "effective", "permitted"] {
            let set = &mut spec["process"]["capabilities"][set];
            // To create a device, and to read the kernel's log.
            let more = ["CAP_MKNOD", "CAP_SYSLOG"].map(Value::from);
            set.as_array_mut().unwrap().extend(more);
        }
    });
    let all = |allow| json!({"allow": allow, "access": "rwm"});
    let kmsg = |allow, access| json!({"allow": allow, "type": "c", "major": 1, "minor": 11, "access": access});
    for (rules, expected) in [
        (json!([]), "made null"),
        (json!([all(false)]), "made null"),
        (json!([all(true)]), "made read written block null"),
        (json!([all(false), kmsg(true, "r")]), "made read null"),
        (json!([all(false), kmsg(true, "w")]), "made written null"),
        (json!([all(true), kmsg(false, "w")]), "made read block null"),
        (json!([all(true), kmsg(false, "m")]), "block null"),
        (
            json!([all(false), {"allow": true, "type": "b", "major": 7, "access": "r"}]),
            "made block null",
        ),
    ] {
        bundle.limit(json!({ "devices": rules.clone() }));
        let seen = bundle.run(&[]);
        let words: Vec<_> = seen.stdout.split_whitespace().collect();
        assert_eq!(words.join(" "), expected, "{rules}: {}", seen.stderr);
    }
}
