//! `update`: other limits for a running container. In both versions of cgroups.

use std::fs::{self, File};

use serde_json::json;

use crate::oci::container::{Container, need_root};
use crate::support::Seen;

const MIB: u64 = 1 << 20;

/// A running container with some limits.
fn limited() -> Container {
    let mut container = Container::new();
    container.spec["linux"]["resources"] = json!({
        "memory": {"limit": 64 * MIB},
        "cpu": {"quota": 50_000, "period": 100_000},
        "pids": {"limit": 20},
    });
    container.start(":");
    container
}

/// What the container's cgroups say: the CPU's quota and period, the limit of the memory, and that of processes.
fn limits(container: &Container) -> String {
    let v2 = "cat cpu.max memory.max pids.max";
    let v1 =
        "cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes pids/pids.max";
    let script = format!("cd /sys/fs/cgroup; if [ -e pids.max ]; then {v2}; else {v1}; fi");
    let seen = container.exec(&[], &["sh", "-c", &script]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let words: Vec<_> = seen.stdout.split_whitespace().collect();
    words.join(" ")
}

fn update(container: &Container, options: &str) -> Seen {
    let mut words = vec!["update"];
    words.extend(options.split_whitespace());
    words.push(&container.id);
    container.runc.see(&words)
}

#[test]
fn what_is_not_mentioned_stays() {
    need_root!();
    let container = limited();
    assert_eq!(limits(&container), "50000 100000 67108864 20");
    for (options, expected) in [
        ("--memory 48m", "50000 100000 50331648 20"),
        ("--pids-limit 40", "50000 100000 50331648 40"),
        // A quota and a period are one limit.
        ("--cpu-period 50000", "50000 50000 50331648 40"),
        ("--cpu-quota 30000", "30000 50000 50331648 40"),
        ("", "30000 50000 50331648 40"),
        ("--memory=", "30000 50000 50331648 40"),
    ] {
        let seen = update(&container, options);
        assert_eq!(seen.code, Some(0), "{options}: {}", seen.stderr);
        assert_eq!(limits(&container), expected, "{options}");
    }
}

#[test]
fn limits_can_come_from_a_file_or_stdin() {
    need_root!();
    let container = limited();
    let file = container.ground.place("limits.json");
    fs::write(&file, r#"{"pids": {"limit": 30}}"#).unwrap();
    let mut from_stdin = container
        .runc
        .command(&["update", "--resources", "-", &container.id]);
    from_stdin.stdin(File::open(&file).unwrap());
    let seen: Seen = from_stdin.output().unwrap().into();
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(limits(&container), "50000 100000 67108864 30");
    fs::write(&file, r#"{"memory": {"limit": 50331648}}"#).unwrap();
    let seen = update(&container, &format!("-r {}", file.display()));
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(limits(&container), "50000 100000 50331648 30");
}

#[test]
fn all_are_changed_or_none() {
    need_root!();
    let container = limited();
    // The kernel allows no period of less than a millisecond.
    let seen = update(&container, "--memory 48m --cpu-period 5 --pids-limit 40");
    assert_eq!(seen.code, Some(1));
    let reason = "cannot set linux.resources.cpu.";
    assert!(seen.stderr.contains(reason), "{}", seen.stderr);
    assert_eq!(limits(&container), "50000 100000 67108864 20");
}

/// It may use them all: version 1 frees what it can, and refuses. Version 2 does so if it is asked to.
#[test]
fn less_memory_than_there_is_in_use_is_refused() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["resources"] = json!({"memory": {"limit": 64 * MIB}});
    container.start("x=$(head -c 20000000 /dev/zero | tr '\\0' x)");
    let file = container.ground.place("limits.json");
    let new = json!({"memory": {"limit": 8 * MIB, "checkBeforeUpdate": true}});
    fs::write(&file, new.to_string()).unwrap();
    let seen = update(&container, &format!("-r {}", file.display()));
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("usage"), "{}", seen.stderr);
    assert!(limits(&container).contains("67108864"));
}

#[test]
fn what_cannot_be_a_limit_is_said() {
    need_root!();
    let container = limited();
    for (options, said) in [
        ("--memory 12x", "invalid value for memory: \"12x\""),
        ("--cpu-share -1", "invalid value for cpu-share: \"-1\""),
        ("-r /nowhere", "cannot open /nowhere"),
        ("--l3-cache-schema x", "linux.intelRdt is not supported"),
    ] {
        let seen = update(&container, options);
        assert_eq!(seen.code, Some(1), "{options}");
        assert!(seen.stderr.contains(said), "{options}: {}", seen.stderr);
    }
    assert_eq!(limits(&container), "50000 100000 67108864 20");
    let seen = container
        .runc
        .see(&["update", "--pids-limit", "5", "nobody"]);
    assert_eq!(seen.code, Some(1));
}
