//! `linux.resources` in version 1: what the kernel's files say, and what happens at a limit.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, groups, has_cgroup_v2, skip};

const MIB: u64 = 1 << 20;

/// Returns from a test, aloud, on a machine whose controllers are in version 2.
macro_rules! need_cgroup_v1 {
    () => {
        need_root!();
        if has_cgroup_v2() || !Path::new("/sys/fs/cgroup/memory").exists() {
            return match std::env::var_os("TINY_DOCKER_VM") {
                Some(_) => println!("skipped: needs cgroup v1"),
                None => skip("cgroup v1"),
            };
        }
    };
}

fn limited(resources: Value) -> Container {
    let mut container = Container::new();
    container.spec["linux"]["resources"] = resources;
    container
}

/// Runs a line of shell with these limits.
fn run(resources: Value, line: &str) -> Seen {
    limited(resources).run(line)
}

#[test]
fn each_number_goes_to_its_file() {
    need_cgroup_v1!();
    let mut container = limited(json!({
        "memory": {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 96 * MIB, "swappiness": 10},
        "cpu": {"shares": 512, "quota": 150_000, "period": 200_000, "burst": 10_000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 20},
    }));
    container.start("true");
    for (name, expected) in [
        ("memory.limit_in_bytes", "67108864"),
        ("memory.soft_limit_in_bytes", "33554432"),
        ("memory.memsw.limit_in_bytes", "100663296"),
        ("memory.swappiness", "10"),
        ("cpu.shares", "512"),
        ("cpu.cfs_quota_us", "150000"),
        ("cpu.cfs_period_us", "200000"),
        ("cpu.cfs_burst_us", "10000"),
        ("cpuset.cpus", "0"),
        ("cpuset.mems", "0"),
        ("pids.max", "20"),
    ] {
        let groups = groups(&container.id);
        let mut files = groups.iter().map(|group| group.join(name));
        match files.find(|file| file.exists()) {
            Some(file) => assert_eq!(fs::read_to_string(file).unwrap().trim(), expected, "{name}"),
            // Not every kernel counts swap, or knows bursts.
            None => assert!(name.contains("memsw") || name.contains("burst"), "{name}"),
        }
    }
}

#[test]
fn who_takes_more_memory_than_allowed_is_killed() {
    need_cgroup_v1!();
    let take = "x=$(head -c 50000000 /dev/zero | tr '\\0' x); echo taken";
    let limit = |limit: u64| json!({"memory": {"limit": limit, "swap": limit}});
    assert_eq!(run(limit(16 * MIB), take).code, Some(137));
    assert_eq!(run(limit(256 * MIB), take).stdout, "taken\n");
}

/// While it is being created, a container has one more process than it has later.
#[test]
fn one_process_is_enough_to_start_and_no_second_one_starts() {
    need_cgroup_v1!();
    let seen = run(json!({"pids": {"limit": 1}}), "echo one; (echo two)");
    assert_eq!(seen.stdout, "one\n", "{}", seen.stderr);
    assert_ne!(seen.code, Some(0));
    let mut container = limited(json!({"pids": {"limit": 2}}));
    container.start("true");
    assert_eq!(container.exec(&[], &["echo", "exec"]).stdout, "exec\n");
}

#[test]
fn a_cpuset_is_where_it_runs() {
    need_cgroup_v1!();
    let seen = run(
        json!({"cpu": {"cpus": "0"}}),
        "grep Cpus_allowed_list /proc/self/status",
    );
    assert_eq!(seen.stdout, "Cpus_allowed_list:\t0\n", "{}", seen.stderr);
}

#[test]
fn what_the_kernel_refuses_is_named_and_leaves_nothing() {
    need_cgroup_v1!();
    for (resources, words) in [
        (
            json!({"cpu": {"cpus": "4000"}}),
            "set linux.resources.cpu.cpus to \"4000\": cannot write to /sys/fs/cgroup",
        ),
        (
            json!({"cpu": {"quota": 1}}),
            "linux.resources.cpu.quota to \"1\"",
        ),
        (
            json!({"cpu": {"shares": 1}}),
            "linux.resources.cpu.shares is 1: the minimum allowed cpu-shares is 2",
        ),
        (
            json!({"memory": {"swappiness": 101}}),
            "linux.resources.memory.swappiness is 101",
        ),
    ] {
        let mut container = limited(resources.clone());
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1), "{resources}");
        assert!(seen.stderr.contains(words), "{resources}: {}", seen.stderr);
        assert!(groups(&container.id).is_empty(), "{resources}");
        assert!(
            !container.runc.root().join(&container.id).exists(),
            "{resources}"
        );
    }
}

/// The memory's limit is never above that of memory and swap together: the second one says why.
#[test]
fn a_limit_above_that_of_both_is_refused() {
    need_cgroup_v1!();
    if !Path::new("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists() {
        return skip("a kernel with swap accounting");
    }
    let seen = run(
        json!({"memory": {"limit": 64 * MIB, "swap": 32 * MIB}}),
        "true",
    );
    assert!(
        seen.stderr
            .contains("linux.resources.memory.swap to \"33554432\""),
        "{}",
        seen.stderr
    );
    // No limit for the memory means none for both.
    let look = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes";
    let seen = run(json!({"memory": {"limit": -1}}), look);
    assert!(
        seen.stdout.trim().parse::<u64>().unwrap() > 1 << 60,
        "{}",
        seen.stdout
    );
}

#[test]
fn what_has_no_effect_any_more_gets_a_warning() {
    need_cgroup_v1!();
    let seen = run(json!({"memory": {"kernel": 64 * MIB}}), "echo runs");
    assert_eq!(seen.stdout, "runs\n");
    assert!(
        seen.stderr
            .contains("linux.resources.memory.kernel has no effect any more"),
        "{}",
        seen.stderr
    );
}
