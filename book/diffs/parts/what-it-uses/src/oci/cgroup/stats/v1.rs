//! Statistics in version 1: the kernel's admin-guide/cgroup-v1.

use std::io;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{Reading, number, number_of, read, read_if_there};
use crate::oci::cgroup::stats::parse::{at, blkio, list, pairs};
use crate::oci::cgroup::stats::{Entry, huge_page_sizes, pids, without_zeros};

/// In nanoseconds: what cpuacct.stat counts, USER_HZ.
const TICK: u64 = 10_000_000;

/// Numbers of a cpuset, which have files of the same names.
pub const CPUSET: [&str; 9] = [
    "cpu_exclusive",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
    "sched_relax_domain_level",
];

/// The statistics about input and output: the name in the JSON, and the end of the file's.
const BLKIO: [(&str, &str); 8] = [
    ("ioServiceBytesRecursive", "io_service_bytes_recursive"),
    ("ioServicedRecursive", "io_serviced_recursive"),
    ("ioQueueRecursive", "io_queued_recursive"),
    ("ioServiceTimeRecursive", "io_service_time_recursive"),
    ("ioWaitTimeRecursive", "io_wait_time_recursive"),
    ("ioMergedRecursive", "io_merged_recursive"),
    ("ioTimeRecursive", "time_recursive"),
    ("sectorsRecursive", "sectors_recursive"),
];

// ANCHOR: fill
/// Adds the numbers of each controller to `stats`.
pub fn fill(groups: &Groups, stats: &mut Value) -> Result<()> {
    let there = |controller| groups.path(controller).filter(|group| group.is_dir());
    if let Some(group) = there("cpuacct") {
        stats["cpu"]["usage"] = cpu_usage(group)?;
    }
    if let Some(group) = there("cpu") {
        let stat = pairs(&read(group, "cpu.stat").reading(group, "cpu.stat")?);
        let throttling = without_zeros([
            ("periods", at(&stat, "nr_periods")),
            ("throttledPeriods", at(&stat, "nr_throttled")),
            ("throttledTime", at(&stat, "throttled_time")),
        ]);
        if !throttling.is_empty() {
            stats["cpu"]["throttling"] = Value::Object(throttling);
        }
    }
    if let Some(group) = there("cpuset") {
        cpuset(group, &mut stats["cpuset"])?;
    }
    if let Some(group) = there("memory") {
        stats["memory"] = memory(group)?;
    }
    if let Some(group) = there("pids") {
        let of = |name| number(group, name).reading(group, name);
        stats["pids"] = pids(of("pids.current")?, of("pids.max")?);
    }
    if let Some(group) = there("blkio") {
        for (name, file) in BLKIO {
            // With a scheduler that counts, and without one.
            for prefix in ["blkio.bfq.", "blkio.", "blkio.throttle."] {
                let file = format!("{prefix}{file}");
                let text = read_if_there(group, &file).reading(group, &file)?;
                let entries = text.map(|text| blkio(&text)).unwrap_or_default();
                if !entries.is_empty() {
                    stats["blkio"][name] = json!(entries);
                    break;
                }
            }
        }
    }
    if let Some(group) = there("hugetlb") {
        for size in huge_page_sizes() {
            stats["hugetlb"][&size] = huge_pages(group, &size).of_huge_pages();
        }
    }
    Ok(())
}
// ANCHOR_END: fill

fn cpu_usage(group: &Path) -> Result<Value> {
    let total = number(group, "cpuacct.usage").reading(group, "cpuacct.usage")?;
    let ticks = |key| number_of(group, "cpuacct.stat", key).reading(group, "cpuacct.stat");
    let text = read(group, "cpuacct.usage_percpu").reading(group, "cpuacct.usage_percpu")?;
    let each: Vec<u64> = text
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect();
    // "cpu user system", and then a line for each CPU.
    let all = read_if_there(group, "cpuacct.usage_all").reading(group, "cpuacct.usage_all")?;
    let all = all.unwrap_or_default();
    let column = |index| -> Vec<u64> {
        let lines = all.lines().skip(1);
        lines
            .filter_map(|line| line.split(' ').nth(index)?.parse().ok())
            .collect()
    };
    let mut usage = without_zeros([("total", total)]);
    usage.insert("kernel".to_owned(), json!(ticks("system")? * TICK));
    usage.insert("user".to_owned(), json!(ticks("user")? * TICK));
    for (name, times) in [
        ("percpu", each),
        ("percpu_user", column(1)),
        ("percpu_kernel", column(2)),
    ] {
        if !times.is_empty() {
            usage.insert(name.to_owned(), json!(times));
        }
    }
    Ok(Value::Object(usage))
}

fn cpuset(group: &Path, stats: &mut Value) -> Result<()> {
    for name in CPUSET {
        let file = format!("cpuset.{name}");
        let text = read_if_there(group, &file)
            .reading(group, &file)?
            .unwrap_or_default();
        // One of them may be -1.
        stats[name] = json!(text.trim().parse::<i64>().unwrap_or(0));
    }
    for name in ["cpus", "mems"] {
        let file = format!("cpuset.{name}");
        let text = read_if_there(group, &file)
            .reading(group, &file)?
            .unwrap_or_default();
        stats[name] = json!(list(&text));
    }
    Ok(())
}

fn memory(group: &Path) -> Result<Value> {
    let raw = pairs(&read(group, "memory.stat").reading(group, "memory.stat")?);
    let mut memory: Map<_, _> = without_zeros([("cache", at(&raw, "cache"))]);
    let kinds = [
        ("usage", ""),
        ("swap", "memsw."),
        ("kernel", "kmem."),
        ("kernelTCP", "kmem.tcp."),
    ];
    for (name, kind) in kinds {
        let entry = memory_entry(group, kind).reading(group, "memory.*")?;
        // Without counting swap, or the kernel's memory, there is nothing to tell.
        if let Some(entry) = entry {
            memory.insert(name.to_owned(), entry.of_memory());
        }
    }
    memory.insert("raw".to_owned(), Value::Object(raw));
    Ok(Value::Object(memory))
}

fn memory_entry(group: &Path, kind: &str) -> io::Result<Option<Entry>> {
    let of = |name| number(group, &format!("memory.{kind}{name}"));
    if !group.join(format!("memory.{kind}usage_in_bytes")).exists() {
        return Ok(None);
    }
    Ok(Some(Entry {
        // The kernel's own memory has had no limit since Linux 6.1 or so.
        limit: of("limit_in_bytes").unwrap_or(0),
        usage: of("usage_in_bytes")?,
        most: of("max_usage_in_bytes")?,
        failures: of("failcnt")?,
    }))
}

fn huge_pages(group: &Path, size: &str) -> Entry {
    let reserved = format!("hugetlb.{size}.rsvd");
    let counts_reserved = group.join(format!("{reserved}.usage_in_bytes")).exists();
    let prefix = if counts_reserved {
        reserved
    } else {
        format!("hugetlb.{size}")
    };
    let of = |name| number(group, &format!("{prefix}.{name}")).unwrap_or(0);
    Entry {
        limit: 0,
        usage: of("usage_in_bytes"),
        most: of("max_usage_in_bytes"),
        failures: of("failcnt"),
    }
}
