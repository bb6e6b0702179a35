//! A group of processes that the kernel keeps within limits: cgroups(7), and the kernel's cgroup-v2.rst.
//!
//! The parent creates a group, and the child enters it.

pub mod hierarchy;
pub mod limits;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cgroup::hierarchy::{Version, delegated_group};
use crate::cgroup::limits::Limits;
use crate::state::id::Id;

/// In microseconds, the kernel's default: half a CPU is 50 ms out of each 100.
const CPU_PERIOD: f64 = 100_000.0;

/// Not every kernel counts swap. If it does not, these are missing.
const SWAP: [&str; 2] = ["memory.swap.max", "memory.memsw.limit_in_bytes"];

// ANCHOR: table
/// A controller, and what to write to which of its files: in version 2, and in version 1.
type Row = (&'static str, [(&'static str, String); 2]);

/// `limits`, in the form that the kernel reads.
fn table(limits: &Limits) -> Vec<Row> {
    let mut table = Vec::new();
    if let Some(bytes) = limits.memory.map(|bytes| bytes.to_string()) {
        let v1 = ("memory.limit_in_bytes", bytes.clone());
        table.push(("memory", [("memory.max", bytes.clone()), v1]));
        // No swap to escape to. Version 2 counts swap alone, version 1 together with the memory.
        table.push(("memory", [(SWAP[0], "0".to_owned()), (SWAP[1], bytes)]));
    }
    if let Some(quota) = limits.cpus.map(|cpus| (cpus * CPU_PERIOD).round()) {
        let v2 = ("cpu.max", format!("{quota} {CPU_PERIOD}"));
        table.push(("cpu", [v2, ("cpu.cfs_quota_us", quota.to_string())]));
    }
    if let Some(most) = limits.pids_limit.map(|most| most.to_string()) {
        table.push(("pids", [("pids.max", most.clone()), ("pids.max", most)]));
    }
    table
}
// ANCHOR_END: table

/// The group of one container: a directory in version 2, and one for each controller in version 1.
///
/// Dropping it removes it. By then its processes should have ended.
#[derive(Default)]
pub struct Cgroup(pub Vec<PathBuf>);

impl Cgroup {
    // ANCHOR: create
    /// An empty group with `limits`, for the container `id`. Without limits it has no directory.
    pub fn create(limits: &Limits, id: &Id) -> Result<Self> {
        let mut group = Self::default();
        for row in table(limits) {
            let cannot = format!("cannot limit {}", row.0);
            group.limit(row, id).context(cannot)?;
        }
        Ok(group)
    }

    fn limit(&mut self, (controller, [v2, v1]): Row, id: &Id) -> Result<()> {
        let (version, ours) = delegated_group(controller)?;
        if version == Version::V2 {
            enable_controller(controller, &ours)?;
        }
        let directory = ours.join(id.to_string());
        create_directory(&directory)?;
        let (file, value) = if version == Version::V2 { v2 } else { v1 };
        let path = directory.join(file);
        if !self.0.contains(&directory) {
            self.0.push(directory);
        }
        if SWAP.contains(&file) && !path.exists() {
            return Ok(());
        }
        write(&path, &value)
    }

    /// Whether the kernel has killed one of its processes because its memory was used up.
    pub fn ran_out_of_memory(&self) -> bool {
        self.0.iter().any(|group| {
            let read = |file| fs::read_to_string(group.join(file)).unwrap_or_default();
            let counts = read("memory.events") + &read("memory.oom_control"); // version 2, version 1
            counts.contains("oom_kill ") && !counts.contains("oom_kill 0")
        })
    }
}

/// In the child: moves this process into the group, and with it everything that it will start.
pub fn enter(directories: &[PathBuf]) -> Result<()> {
    for directory in directories {
        // 0 is whoever writes it.
        write(&directory.join("cgroup.procs"), "0").context("cannot enter the cgroup")?;
    }
    Ok(())
}
// ANCHOR_END: create

// ANCHOR: enable_controller
/// Enables `controller` for the groups below `ours`. A group has the controllers that the group above it enables.
fn enable_controller(controller: &str, ours: &Path) -> Result<()> {
    let value = format!("+{controller}");
    let enable = |group: &Path| write(&group.join("cgroup.subtree_control"), &value);
    let above = ours.parent().context("the cgroup has no parent")?;
    let mut pauses = (0..10).map(|power| Duration::from_millis(1 << power));
    while let Err(error) = move_to_leaf(above).and_then(|()| enable(above)) {
        // A process may have forked in between, and then the group is busy.
        sleep(pauses.next().ok_or(error)?);
    }
    create_directory(ours)?;
    enable(ours)
}

/// Moves the processes of `group`, this one among them, into a group below it.
///
/// A group that enables controllers may not have processes itself: "no internal processes". With "cpu" and "pids" it
/// may, but then it can never enable "memory". Only the root of the tree, which has no type, may do all that.
fn move_to_leaf(group: &Path) -> Result<()> {
    let pids = fs::read_to_string(group.join("cgroup.procs")).context("cannot list processes")?;
    if pids.is_empty() || !group.join("cgroup.type").exists() {
        return Ok(());
    }
    let leaf = group.join("beside-tiny-docker");
    create_directory(&leaf)?;
    for pid in pids.lines() {
        // It may have ended.
        let _ = write(&leaf.join("cgroup.procs"), pid);
    }
    Ok(())
}

fn create_directory(group: &Path) -> Result<()> {
    fs::create_dir_all(group).with_context(|| format!("cannot create {}", group.display()))
}

/// Without O_CREAT: a file that the kernel has not created is not there.
fn write(file: &Path, value: &str) -> Result<()> {
    let opened = OpenOptions::new().write(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(value.as_bytes()));
    written.with_context(|| format!("cannot write {value} to {}", file.display()))
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in &self.0 {
            remove(directory);
        }
    }
}

/// Removes `group`. It is busy while its last process is still on its way out.
fn remove(group: &Path) {
    let mut pauses = (0..10).map(|power| Duration::from_millis(1 << power));
    while fs::remove_dir(group).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy) {
        let Some(pause) = pauses.next() else { return };
        sleep(pause);
    }
}
// ANCHOR_END: enable_controller
