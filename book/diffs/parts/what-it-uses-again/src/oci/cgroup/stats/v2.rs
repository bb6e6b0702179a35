//! Statistics in version 2: the kernel's admin-guide/cgroup-v2.rst. They get the names of version 1.

use std::io;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{Reading, number, number_of, read_if_there};
use crate::oci::cgroup::stats::parse::{at, device, pairs, pressure};
use crate::oci::cgroup::stats::{Entry, huge_page_sizes, pids, without_zeros};

/// In nanoseconds.
const MICROSECOND: u64 = 1000;

/// Adds the numbers of each controller to `stats`. Controllers that are not enabled have no files, and no numbers.
pub fn fill(groups: &Groups, stats: &mut Value) -> Result<()> {
    let Some(group) = groups.path("") else {
        return Ok(());
    };
    let text = |name| {
        let text = read_if_there(group, name).reading(group, name);
        text.map(Option::unwrap_or_default)
    };
    cpu(&pairs(&text("cpu.stat")?), &mut stats["cpu"]);
    let raw = pairs(&text("memory.stat")?);
    if !raw.is_empty() {
        stats["memory"] = memory(group, raw).reading(group, "memory.*")?;
    }
    stats["pids"] = match number(group, "pids.current") {
        Ok(current) => pids(
            current,
            number(group, "pids.max").reading(group, "pids.max")?,
        ),
        Err(_) => pids(
            text("cgroup.procs").map_or(0, |it| it.lines().count() as u64),
            0,
        ),
    };
    stats["blkio"] = io(&text("io.stat")?);
    for (controller, name) in [
        ("cpu", "cpu.pressure"),
        ("memory", "memory.pressure"),
        ("blkio", "io.pressure"),
    ] {
        // Some kernels have the files, but do not measure unless they are started with "psi=1".
        if let Ok(Some(text)) = read_if_there(group, name) {
            stats[controller]["psi"] = pressure(&text);
        }
    }
    for size in huge_page_sizes() {
        if let Some(entry) = huge_pages(group, &size) {
            stats["hugetlb"][&size] = entry.of_huge_pages();
        }
    }
    Ok(())
}

// ANCHOR: cpu
fn cpu(stat: &Map<String, Value>, cpu: &mut Value) {
    let mut usage = without_zeros([("total", at(stat, "usage_usec") * MICROSECOND)]);
    usage.insert(
        "kernel".to_owned(),
        json!(at(stat, "system_usec") * MICROSECOND),
    );
    usage.insert(
        "user".to_owned(),
        json!(at(stat, "user_usec") * MICROSECOND),
    );
    cpu["usage"] = Value::Object(usage);
    let throttling = without_zeros([
        ("periods", at(stat, "nr_periods")),
        ("throttledPeriods", at(stat, "nr_throttled")),
        ("throttledTime", at(stat, "throttled_usec") * MICROSECOND),
    ]);
    if !throttling.is_empty() {
        cpu["throttling"] = Value::Object(throttling);
    }
}
// ANCHOR_END: cpu

// ANCHOR: memory
fn memory(group: &Path, raw: Map<String, Value>) -> io::Result<Value> {
    let mut memory = without_zeros([("cache", at(&raw, "file"))]);
    let usage = entry(group, "memory")?.unwrap_or_default();
    let mut swap = entry(group, "memory.swap")?.unwrap_or_default();
    // In version 1, it counts together with the memory. Of a peak, that cannot be said.
    swap.usage += usage.usage;
    swap.limit = swap.limit.saturating_add(usage.limit);
    swap.most = 0;
    memory.insert("usage".to_owned(), usage.of_memory());
    memory.insert("swap".to_owned(), swap.of_memory());
    memory.insert("raw".to_owned(), Value::Object(raw));
    Ok(Value::Object(memory))
}
// ANCHOR_END: memory

/// Kernels that do not count swap do not have its files.
fn entry(group: &Path, name: &str) -> io::Result<Option<Entry>> {
    if !group.join(format!("{name}.current")).exists() {
        return Ok(None);
    }
    let of = |what| number(group, &format!("{name}.{what}"));
    let most = of("peak").unwrap_or(0); // From Linux 5.19, and for swap from 6.5.
    Ok(Some(Entry {
        limit: of("max")?,
        usage: of("current")?,
        most,
        failures: 0,
    }))
}

/// Lines such as "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0".
fn io(text: &str) -> Value {
    let mut found = Map::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some((major, minor)) = words.next().and_then(|word| word.split_once(':')) else {
            continue;
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (name, op) = match key {
                "rbytes" => ("ioServiceBytesRecursive", "Read"),
                "wbytes" => ("ioServiceBytesRecursive", "Write"),
                "rios" => ("ioServicedRecursive", "Read"),
                "wios" => ("ioServicedRecursive", "Write"),
                _ => continue,
            };
            let entries = found.entry(name).or_insert_with(|| json!([]));
            if let (Value::Array(entries), Some(entry)) = (entries, device(major, minor, op, value))
            {
                entries.push(entry);
            }
        }
    }
    Value::Object(found)
}

fn huge_pages(group: &Path, size: &str) -> Option<Entry> {
    let of = |name: &str| number(group, &format!("hugetlb.{size}{name}.current")).ok();
    let usage = of(".rsvd").or_else(|| of(""))?;
    let failures = number_of(group, &format!("hugetlb.{size}.events"), "max").unwrap_or(0);
    Some(Entry {
        usage,
        failures,
        ..Entry::default()
    })
}
