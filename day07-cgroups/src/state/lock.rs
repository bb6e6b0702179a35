//! Locks that the kernel releases when their holder ends: flock(2). For whatever shares a file with other commands.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::failure::say;

/// Locks `file`, opened as `path`. After a second, tells the user who holds it. After `seconds`, gives up: anyone who can
/// open a file can lock it, and be stopped by a Ctrl-Z then.
pub fn wait(file: &File, path: &Path, seconds: u64) -> Result<()> {
    let (start, path) = (Instant::now(), path.display());
    let mut told = false;
    while let Err(error) = file.try_lock() {
        if let TryLockError::Error(error) = error {
            return Err(error).with_context(|| format!("cannot lock {path}"));
        }
        let waited = start.elapsed().as_secs();
        if waited >= 1 && !told {
            told = true;
            let holder = holder(file);
            say(&format!("waiting for {path}: {holder} holds the lock"));
        } else if waited >= seconds {
            bail!("cannot lock {path}: {} holds the lock", holder(file));
        }
        // Hundreds may be waiting, and should leave the CPU to the process that they wait for.
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The process that has locked `file`: in "1: FLOCK ADVISORY WRITE 123 fe:00:456 0 EOF", that is 123. proc_locks(5).
fn holder(file: &File) -> String {
    let inode = file.metadata().map_or(0, |file| file.ino());
    let is_it = |lock: &Vec<&str>| lock[1] == "FLOCK" && lock[5].ends_with(&format!(":{inode}"));
    // Whenever another lock goes while we read, the kernel may leave one out. So we look more than once.
    for _ in 0..3 {
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let mut locks = locks.lines().map(|lock| lock.split_whitespace().collect());
        if let Some(lock) = locks.find(is_it) {
            return format!("process {}", lock[4]);
        }
    }
    "another process".to_owned()
}
