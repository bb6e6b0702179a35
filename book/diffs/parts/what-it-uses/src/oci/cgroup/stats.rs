//! What a container uses, in the shape of `runc events --stats`.
//!
//! As there, what is 0 is left out, except for numbers that always have a place.

pub mod parse;
pub mod v1;

use std::fs;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::oci::cgroup::Groups;

// ANCHOR: stats
impl Groups {
    /// The numbers of all controllers that the container has: times in nanoseconds, memory in bytes.
    ///
    /// The caller adds `network_interfaces`: they are no matter of cgroups.
    pub fn stats(&self) -> Result<Value> {
        let mut stats = json!({
            "cpu": {"usage": {"kernel": 0, "user": 0}},
            "cpuset": cpuset(),
            "memory": {},
            "pids": {},
            "blkio": {},
            "hugetlb": {},
            "intel_rdt": {},
            "network_interfaces": null,
        });
        match self.is_unified {
            true => anyhow::bail!("cgroup version 2 has other files"),
            false => v1::fill(self, &mut stats)?,
        }
        Ok(stats)
    }
}
// ANCHOR_END: stats

/// The numbers that are there even if there is no cpuset.
fn cpuset() -> Value {
    let numbers = v1::CPUSET.map(|name| (name.to_owned(), json!(0)));
    Value::Object(numbers.into_iter().collect())
}

/// An object without the numbers that are 0.
fn without_zeros<const N: usize>(numbers: [(&str, u64); N]) -> Map<String, Value> {
    let numbers = numbers.into_iter().filter(|(_, number)| *number != 0);
    numbers
        .map(|(name, number)| (name.to_owned(), json!(number)))
        .collect()
}

/// What a controller counts: how much there may be, is, was at most, and how often there was not enough.
#[derive(Clone, Copy, Default)]
struct Entry {
    limit: u64,
    usage: u64,
    most: u64,
    failures: u64,
}

impl Entry {
    fn of_memory(self) -> Value {
        let mut entry = without_zeros([("usage", self.usage), ("max", self.most)]);
        entry.insert("limit".to_owned(), json!(self.limit));
        entry.insert("failcnt".to_owned(), json!(self.failures));
        Value::Object(entry)
    }

    fn of_huge_pages(self) -> Value {
        let mut entry = without_zeros([("usage", self.usage), ("max", self.most)]);
        entry.insert("failcnt".to_owned(), json!(self.failures));
        Value::Object(entry)
    }
}

/// The number of processes, and the limit. As in runc, no limit is 0, and left out.
fn pids(current: u64, limit: u64) -> Value {
    let limit = if limit == u64::MAX { 0 } else { limit };
    Value::Object(without_zeros([("current", current), ("limit", limit)]))
}

/// The sizes of huge pages that this host has, as cgroups name them: "2MB", "1GB".
fn huge_page_sizes() -> Vec<String> {
    let entries = fs::read_dir("/sys/kernel/mm/hugepages")
        .into_iter()
        .flatten()
        .flatten();
    let size = |name: &str| {
        let kib: u64 = name
            .strip_prefix("hugepages-")?
            .strip_suffix("kB")?
            .parse()
            .ok()?;
        Some(match kib {
            0..1024 => format!("{kib}KB"),
            1024..1_048_576 => format!("{}MB", kib >> 10),
            _ => format!("{}GB", kib >> 20),
        })
    };
    entries
        .filter_map(|entry| size(entry.file_name().to_str()?))
        .collect()
}
