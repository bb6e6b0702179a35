//! `events`: what a container uses, and when it is too much.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};
use crate::support::{Running, Seen, skip, wait_until};

const MIB: u64 = 1 << 20;

/// Takes 50 MB, in a child of the container's first process.
const TAKE: &str = "x=$(head -c 50000000 /dev/zero | tr '\\0' x)";

macro_rules! need_v1 {
    () => {
        need_root!();
        if !Path::new("/sys/fs/cgroup/pids/cgroup.procs").exists() {
            return skip("cgroup v1");
        }
    };
}

fn limited() -> Container {
    let mut container = Container::new();
    container.spec["linux"]["resources"] = json!({
        "memory": {"limit": 32 * MIB, "swap": 32 * MIB},
        "cpu": {"quota": 20_000, "period": 100_000},
        "pids": {"limit": 20},
    });
    container.start(":");
    container
}

fn stats(container: &Container) -> Value {
    let seen = container.runc.see(&["events", "--stats", &container.id]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(seen.stdout.lines().count(), 1, "{}", seen.stdout);
    let mut event: Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(event["type"], "stats");
    assert_eq!(event["id"], container.id.as_str());
    event["data"].take()
}

#[test]
fn the_numbers_of_all_controllers_have_their_places() {
    need_v1!();
    let container = limited();
    let stats = stats(&container);
    for (place, expected) in [
        ("/memory/usage/limit", json!(32 * MIB)),
        ("/memory/swap/limit", json!(32 * MIB)),
        ("/memory/usage/failcnt", json!(0)),
        ("/pids/limit", json!(20)),
        ("/network_interfaces", Value::Null),
        ("/intel_rdt", json!({})),
    ] {
        // Not every kernel counts swap.
        if let Some(found) = stats.pointer(place) {
            assert_eq!(*found, expected, "{place}: {stats}");
        }
    }
    for place in [
        "/cpu/usage/total",
        "/memory/usage/usage",
        "/memory/raw/pgfault",
        "/pids/current",
    ] {
        let found = stats.pointer(place).and_then(Value::as_u64);
        assert!(found.is_some_and(|number| number > 0), "{place}: {stats}");
    }
}

/// In nanoseconds, and with what the quota has kept from it.
#[test]
fn time_is_counted_and_so_is_waiting() {
    need_v1!();
    let container = limited();
    let of = |place| {
        let stats = stats(&container);
        stats.pointer(place).and_then(Value::as_u64).unwrap_or(0)
    };
    let (used, waited) = (of("/cpu/usage/total"), of("/cpu/throttling/throttledTime"));
    let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    assert_eq!(container.exec(&[], &["sh", "-c", busy]).code, Some(0));
    assert!(of("/cpu/usage/total") - used > 10_000_000);
    assert!(of("/cpu/throttling/throttledTime") - waited > 10_000_000);
}

#[test]
fn a_kill_for_lack_of_memory_is_told_at_once() {
    need_v1!();
    let container = limited();
    let told = container.ground.place("told");
    let mut events = container
        .runc
        .command(&["events", "--interval", "300ms", &container.id]);
    events.stdout(File::create(&told).unwrap());
    let mut events = Running(events.stderr(Stdio::null()).spawn().unwrap());
    let told = || fs::read_to_string(&told).unwrap();
    wait_until("the first numbers", || told().contains("\"stats\""));
    assert_eq!(container.exec(&[], &["sh", "-c", TAKE]).code, Some(137));
    let line = format!("{{\"type\":\"oom\",\"id\":\"{}\"}}\n", container.id);
    wait_until("the kill told", || told().contains(&line));
    // It ends with its container.
    container.runc.see(&["delete", "--force", &container.id]);
    assert!(events.0.wait().unwrap().success());
}

/// Both versions.
#[test]
fn a_container_that_cannot_even_start_says_why() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["resources"] = json!({"memory": {"limit": 4096}});
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    let why = "the container has run out of memory: linux.resources.memory.limit is too low";
    assert!(seen.stderr.contains(why), "{}", seen.stderr);
}

#[test]
fn there_are_no_events_without_a_container() {
    need_root!();
    let container = limited();
    for words in [
        &["events", "nobody"][..],
        &["events", "--interval", "0s", &container.id],
        &["events", "--interval", "soon", &container.id],
    ] {
        let seen: Seen = container.runc.see(words);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(1), ""),
            "{words:?}"
        );
    }
}
