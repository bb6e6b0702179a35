//! A group of processes that the kernel keeps within limits: cgroups(7), and the kernel's cgroup-v2.rst.
//!
//! The parent creates a group, and the child enters it.

pub mod hierarchy;
pub mod limits;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};

use crate::cgroup::hierarchy::{OURS, Version, delegated_group};
use crate::cgroup::limits::Limits;
use crate::state::id::Id;

const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

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

/// Of the `groups` in a record, those that belong to its container `id`. A damaged record may name any directory.
pub fn those_of(id: &Id, groups: &[PathBuf]) -> Vec<PathBuf> {
    let ours = Path::new(OURS).join(id.to_string());
    let is_group = |path: &PathBuf| {
        let found = statfs(path).map(|found| found.filesystem_type());
        found.is_ok_and(|found| [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&found))
    };
    // A link in it would lead elsewhere.
    let groups = groups.iter().flat_map(fs::canonicalize);
    groups
        .filter(|path| path.ends_with(&ours) && is_group(path))
        .collect()
}

/// The files by which a process gets into the group with these `directories`: from inside, they cannot be seen.
///
/// In version 1 "tasks", which is for one thread. For that, if it is the writer itself (0), the kernel need not hold up
/// all the forks of the machine, as it does for another process: that may take 10 ms.
pub fn doors(directories: &[PathBuf]) -> Result<Vec<File>> {
    let door = |directory: &PathBuf| {
        let open = |file| OpenOptions::new().write(true).open(directory.join(file));
        let opened = open("tasks").or_else(|_| open("cgroup.procs"));
        opened.context("cannot enter the cgroup")
    };
    directories.iter().map(door).collect()
}

/// Takes this process in, and with it all that it starts.
pub fn enter(doors: Vec<File>) -> Result<()> {
    for mut door in doors {
        door.write_all(b"0").context("cannot enter the cgroup")?;
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

/// Removes `group`, and the groups that the container may have created in it.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    // Ends whatever has joined from outside the container. (Only version 2 has this.)
    let _ = write(&group.join("cgroup.kill"), "1");
    // It is busy while its last process is still on its way out.
    let mut pauses = (0..10).map(|power| Duration::from_millis(1 << power));
    while fs::remove_dir(group).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy) {
        let Some(pause) = pauses.next() else { return };
        sleep(pause);
    }
}

/// Removes the groups of the containers that `is_meant` names. Their `run` was killed, and could not.
pub fn remove_those(is_meant: impl Fn(&Id) -> bool) {
    for (_, ours) in CONTROLLERS.into_iter().flat_map(delegated_group) {
        for entry in fs::read_dir(ours).into_iter().flatten().flatten() {
            let id = entry.file_name().to_str().and_then(Id::parse);
            if id.is_some_and(|id| is_meant(&id)) {
                remove(&entry.path());
            }
        }
    }
}
// ANCHOR_END: enable_controller
