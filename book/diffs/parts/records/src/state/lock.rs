//! Locks that the kernel releases when their holder ends: flock(2). For whatever shares a file with other commands.

use std::fs::{self, File, TryLockError};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::failure::say;

/// Locks `file`, opened as `path`, with one of [`File`]'s two functions. After a second, tells the user who holds it.
///
/// Anyone who can open a file can lock it, and then be stopped by a Ctrl-Z. So we wait at most `seconds` for the same
/// process, and ten times as long for a queue.
pub fn wait(
    file: &File,
    path: &Path,
    try_lock: fn(&File) -> Result<(), TryLockError>,
    seconds: u64,
) -> Result<()> {
    let start = Instant::now();
    let (mut since, mut first, mut told) = (start, None, false);
    let mut pause = Duration::from_millis(1);
    while let Err(error) = try_lock(file) {
        if let TryLockError::Error(error) = error {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
        let (path, waited) = (path.display(), since.elapsed().as_secs());
        if waited >= 1 && !told {
            (first, told) = (holder(file), true);
            let holder = shown(&first);
            say(&format!("waiting for {path}: {holder} holds the lock"));
        } else if waited >= seconds {
            let now = holder(file);
            let is_moving = now.is_none() || now != first;
            ensure!(
                is_moving && start.elapsed().as_secs() < 10 * seconds,
                "cannot lock {path}: {} holds the lock",
                shown(&now)
            );
            (since, first) = (Instant::now(), now);
        }
        sleep(pause).with_context(|| format!("cannot lock {path}"))?;
        // Hundreds may be waiting, and should leave the CPU to the process that they wait for.
        pause = Duration::from_millis(100).min(pause * 2);
    }
    Ok(())
}

/// Waits for the time of `pause`. `run` blocks signals, so this fails if one of those that should end it has arrived.
fn sleep(pause: Duration) -> Result<()> {
    let ends = SigSet::from_iter([
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
    ]);
    let held = SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let mut signal = [PollFd::new(held.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut signal, PollTimeout::try_from(pause)?);
    ensure!(held.read_signal()?.is_none(), "interrupted by a signal");
    Ok(())
}

// ANCHOR: holder
/// The process that has locked `file`: in "1: FLOCK ADVISORY WRITE 123 fe:00:456 0 EOF", that is 123. proc_locks(5).
pub fn holder(file: &File) -> Option<String> {
    let inode = file.metadata().ok()?.ino();
    let is_it = |lock: &Vec<&str>| lock[1] == "FLOCK" && lock[5].ends_with(&format!(":{inode}"));
    // Whenever another lock goes while we read, the kernel may leave one out. So we look more than once.
    (0..3).find_map(|_| {
        let locks = fs::read_to_string("/proc/locks").ok()?;
        let mut locks = locks.lines().map(|lock| lock.split_whitespace().collect());
        locks.find(is_it).map(|lock| lock[4].to_owned())
    })
}
// ANCHOR_END: holder

fn shown(holder: &Option<String>) -> String {
    match holder {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
