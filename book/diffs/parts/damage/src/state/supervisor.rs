//! The process that waits for a container, and the container's PID 1, as the kernel knows them: proc_locks(5),
//! proc_pid_task(5). For `rm -f`, if the record is damaged.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use anyhow::Result;
use nix::unistd::{Pid, geteuid};

use crate::state::lock;
use crate::state::pidfd::PidFd;
use crate::state::process::Process;

// ANCHOR: container_of
/// PID 1 of the container whose supervisor holds `lock`. None if it has ended, or if there is any doubt.
///
/// A damaged record may have been written by anybody, so we believe nothing that it says. But its lock is held by the
/// process that waits for the container, and the kernel knows who that is, and which children it has.
pub fn container_of(lock: &File) -> Result<Option<PidFd>> {
    let Some(pid) = lock::holder(lock).and_then(|pid| pid.parse().ok()) else {
        return Ok(None);
    };
    let Some(supervisor) = PidFd::open(pid)? else {
        return Ok(None);
    };
    if !is_supervisor(pid, lock).unwrap_or(false) {
        return Ok(None);
    }
    for child in children(pid) {
        // It may have ended by now.
        let Ok(process) = Process::of(Pid::from_raw(child)) else {
            continue;
        };
        let Some(container) = PidFd::of(&process)? else {
            continue;
        };
        // If both still hold, then none of these pids has passed to another process since we opened it.
        let is_its_child = children(pid).contains(&child);
        if is_its_child && !supervisor.ends_before(Some(Instant::now()))? {
            return Ok(Some(container));
        }
    }
    Ok(None)
}

/// Whether `pid` is a supervisor: it executes the same file as we do, as the same user, outside all containers, and has
/// `lock` open.
///
/// A container may hold the lock, too, if it has a volume with the state directory. But it has its own pids, and we
/// would not end it. After an update, the file is a different one. Then the user has to decide.
fn is_supervisor(pid: i32, lock: &File) -> io::Result<bool> {
    let file = |found: Metadata| (found.dev(), found.ino());
    let its = |name: &str| fs::metadata(format!("/proc/{pid}/{name}")).map(file);
    let ours = |name: &str| fs::metadata(format!("/proc/self/{name}")).map(file);
    for name in ["exe", "ns/pid", "ns/user"] {
        if its(name)? != ours(name)? {
            return Ok(false);
        }
    }
    if fs::metadata(format!("/proc/{pid}"))?.uid() != geteuid().as_raw() {
        return Ok(false);
    }
    let found = lock.metadata()?;
    // Otherwise, whoever can write here could give the lock of another record a second name in this one.
    if found.nlink() != 1 {
        return Ok(false);
    }
    // In /proc/locks, a file is only a number, which a file on another disk may have, too.
    let lock = file(found);
    let mut open = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    Ok(open.any(|fd| fs::metadata(fd.path()).is_ok_and(|found| file(found) == lock)))
}

/// The children of the first thread of `pid`, which starts them all.
fn children(pid: i32) -> Vec<i32> {
    let pids = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let pids = pids.split_whitespace().map(str::parse);
    pids.flatten().collect()
}
// ANCHOR_END: container_of
