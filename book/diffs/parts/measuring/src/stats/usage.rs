//! How much CPU, memory and I/O containers use: cgroups(7), proc_pid_stat(5), proc_pid_io(5). For `stats` only.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::container::Container;
use crate::network::Net;

#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// Of all its processes, since the container started.
    pub cpu: Duration,
    /// In bytes, without what the kernel could drop at once.
    pub memory: u64,
    /// Received and sent, in bytes.
    pub network: [u64; 2],
    /// Read and written, in bytes.
    pub block: [u64; 2],
    /// Processes and their threads.
    pub tasks: u64,
}

// ANCHOR: census
/// What the processes in each PID namespace use, except in our own: those are the host's.
///
/// One look at all processes is enough for all containers. (Those in a PID namespace that a container has created
/// itself do not count.)
pub struct Census(HashMap<PathBuf, Usage>);

impl Census {
    pub fn take() -> Self {
        let mut census = HashMap::<_, Usage>::new();
        let own = fs::read_link("/proc/self/ns/pid").ok();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            // Not a process, or gone, or another user's.
            let namespace = fs::read_link(entry.path().join("ns/pid"));
            let Some(namespace) = namespace
                .ok()
                .filter(|namespace| own.as_ref() != Some(namespace))
            else {
                continue;
            };
            census.entry(namespace).or_default().add(&entry.path());
        }
        Self(census)
    }
}
// ANCHOR_END: census

impl Usage {
    // ANCHOR: of
    /// What `container` uses, or None if it is not running.
    ///
    /// Only a container with limits has a cgroup, which counts only what it limits. Everything else is a sum over the
    /// processes: memory that they share counts once for each of them.
    pub fn of(container: &Container, census: &Census) -> Option<Self> {
        container.running().ok()??;
        let process = Path::new("/proc").join(container.process.as_ref()?.pid.to_string());
        let namespace = fs::read_link(process.join("ns/pid")).ok()?;
        let mut usage = census.0.get(&namespace).copied().unwrap_or_default();
        let group = &container.cgroup;
        usage.cpu = group_cpu(group).unwrap_or(usage.cpu);
        usage.memory = group_memory(group).unwrap_or(usage.memory);
        usage.tasks = number(group, "pids.current").unwrap_or(usage.tasks);
        // Many others use the host's network.
        if container.net != Net::Host {
            usage.network = network(&process);
        }
        Some(usage)
    }
    // ANCHOR_END: of

    // ANCHOR: add
    /// Adds another process. In its stat, fields 14 to 17 are the time that it has used, and the children that it has
    /// waited for, in ticks; field 20 is its number of threads, and field 24 its memory, in pages.
    fn add(&mut self, process: &Path) {
        let stat = fs::read(process.join("stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        let Some((_, after_name)) = stat.rsplit_once(')') else {
            return;
        };
        // The first of these is field 3.
        let fields: Vec<u64> = after_name
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
        let ticks: u64 = (14..=17).map(field).sum();
        self.cpu += Duration::from_secs_f64(ticks as f64 / system(SysconfVar::CLK_TCK) as f64);
        self.tasks += field(20);
        self.memory += field(24) * system(SysconfVar::PAGE_SIZE);
        let io = fs::read_to_string(process.join("io")).unwrap_or_default();
        for (sum, name) in self.block.iter_mut().zip(["read_bytes:", "write_bytes:"]) {
            *sum += value(&io, name).unwrap_or(0);
        }
    }
    // ANCHOR_END: add
}

fn system(variable: SysconfVar) -> u64 {
    // Linux has both.
    sysconf(variable)
        .ok()
        .flatten()
        .map_or(1, |value| value as u64)
}

// ANCHOR: group
/// In version 2, every group counts. In version 1, the controller that counts is not the one that limits, but may have
/// the same directory.
fn group_cpu(group: &[PathBuf]) -> Option<Duration> {
    let v2 = text(group, "cpu.stat").and_then(|stat| value(&stat, "usage_usec"));
    let v1 = || number(group, "cpuacct.usage").map(Duration::from_nanos);
    v2.map(Duration::from_micros).or_else(v1)
}

/// Without files that nobody has read for a while: they are in memory, too, but do no harm there.
fn group_memory(group: &[PathBuf]) -> Option<u64> {
    let files = [
        ("memory.current", "inactive_file"),
        ("memory.usage_in_bytes", "total_inactive_file"),
    ];
    files.iter().find_map(|(file, idle)| {
        let used = number(group, file)?;
        let idle = text(group, "memory.stat").and_then(|stat| value(&stat, idle));
        Some(used.saturating_sub(idle.unwrap_or(0)))
    })
}
// ANCHOR_END: group

/// The contents of `file`, in the first directory of `group` that has it.
fn text(group: &[PathBuf], file: &str) -> Option<String> {
    group
        .iter()
        .find_map(|directory| fs::read_to_string(directory.join(file)).ok())
}

fn number(group: &[PathBuf], file: &str) -> Option<u64> {
    text(group, file)?.trim().parse().ok()
}

/// The number after `name`, in a text with a name and a number on each line.
fn value<T: FromStr>(text: &str, name: &str) -> Option<T> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next()?.parse().ok())?)
}

// ANCHOR: network
/// What the network devices of `process` have received and sent, except loopback: proc_pid_net(5).
fn network(process: &Path) -> [u64; 2] {
    let text = fs::read_to_string(process.join("net/dev")).unwrap_or_default();
    let mut sums = [0, 0];
    for line in text.lines() {
        let Some((_, counts)) = line
            .split_once(':')
            .filter(|(device, _)| device.trim() != "lo")
        else {
            continue;
        };
        let counts: Vec<u64> = counts.split_whitespace().flat_map(str::parse).collect();
        for (sum, field) in sums.iter_mut().zip([0, 8]) {
            *sum += counts.get(field).unwrap_or(&0);
        }
    }
    sums
}
// ANCHOR_END: network

/// How much memory this machine has, in bytes: proc_meminfo(5).
pub fn all_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    value::<u64>(&text, "MemTotal:").unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_a_group_are_understood() {
        let group = tempfile::tempdir().unwrap();
        let group = [group.path().join("no-such"), group.path().to_owned()];
        let write = |file: &str, text: &str| fs::write(group[1].join(file), text).unwrap();
        // Version 1: first with only the controller that limits, then with the one that counts.
        write("cpu.stat", "nr_periods 3\nnr_throttled 0\n");
        assert_eq!((group_cpu(&group), group_memory(&group)), (None, None));
        write("cpuacct.usage", "1500000000\n");
        write("memory.usage_in_bytes", "5000\n");
        write("memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n");
        let second = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(group_cpu(&group), second(1.5));
        assert_eq!(group_memory(&group), Some(4000));
        // Version 2.
        write("cpu.stat", "usage_usec 2500000\nuser_usec 1\n");
        write("memory.current", "7000\n");
        write("memory.stat", "anon 1\ninactive_file 500\n");
        assert_eq!(group_cpu(&group), second(2.5));
        assert_eq!(group_memory(&group), Some(6500));
    }
}
