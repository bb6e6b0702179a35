//! Which process a record means, and whether it is still alive: proc_pid_stat(5), random(4).

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A pid alone is worth nothing: the kernel gives it to another process later. With its start time it is unique.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// When it started, in clock ticks since the boot.
    start_time: u64,
    pub pid: i32,
    /// The boot that it started after.
    boot_id: String,
}

impl Process {
    /// The process that has `pid` now, dead or alive. There is one until somebody has waited for it.
    pub fn of(pid: Pid) -> Result<Self> {
        let (.., start_time) = state_and_start(pid.as_raw()).context("cannot find the process")?;
        Ok(Self {
            start_time,
            pid: pid.as_raw(),
            boot_id: boot_id()?,
        })
    }

    /// Whether it is still there, as the PID 1 of a container, and its pid has not passed to another process.
    pub fn is_alive(&self) -> bool {
        self.exists() && is_pid_1(self.pid)
    }

    /// The same for a process that need not be a PID 1.
    pub fn exists(&self) -> bool {
        let Some((state, threads, start_time)) = state_and_start(self.pid) else {
            return false;
        };
        // A zombie, or about to disappear. But perhaps only its first thread has ended.
        let dead = matches!(state, 'Z' | 'X') && threads < 2;
        !dead && start_time == self.start_time && boot_id().is_ok_and(|id| id == self.boot_id)
    }
}

/// Fields 3, 20 and 22 of /proc/PID/stat. Field 2 is the program's name, which may contain blanks and ')'.
fn state_and_start(pid: i32) -> Option<(char, u64, u64)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let threads = fields.nth(16)?.parse().ok()?;
    Some((state, threads, fields.nth(1)?.parse().ok()?))
}

/// Whether `pid` is the PID 1 of another namespace, as a container's is: "NSpid: 4711 1". proc_pid_status(5)
fn is_pid_1(pid: i32) -> bool {
    let status = fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    pids.is_some_and(|pids| pids.split_whitespace().skip(1).last() == Some("1"))
}

/// The kernel generates a new one at each boot.
fn boot_id() -> Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    Ok(id.context("cannot read boot_id")?.trim().to_owned())
}
