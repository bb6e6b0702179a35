//! Locks that the kernel releases when their holder ends: flock(2).

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Locks `file`, opened as `path`, with one of [`File`]'s two functions. After a second, tells the user who holds it.
///
/// Anyone who can open a file can lock it, and then be stopped with Ctrl-Z: we wait at most `seconds` for one process.
pub fn wait(
    file: &File,
    path: &Path,
    try_lock: fn(&File) -> Result<(), TryLockError>,
    seconds: u64,
) -> Result<()> {
    let mut start = Instant::now();
    let mut told = None;
    while let Err(error) = try_lock(file) {
        if let TryLockError::Error(error) = error {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
        let (path, waited) = (path.display(), start.elapsed().as_secs());
        if waited >= seconds {
            let holder = holder(file);
            // If the holder has changed, a queue is moving.
            ensure!(
                told.as_ref() != Some(&holder),
                "cannot lock {path}: {holder} holds it"
            );
            (start, told) = (Instant::now(), Some(holder));
        } else if waited >= 1 && told.is_none() {
            let holder = holder(file);
            let _ = writeln!(
                io::stderr(),
                "tiny-docker: waiting for {path}: {holder} has locked it"
            );
            told = Some(holder);
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Who has locked `file`: in "1: FLOCK ADVISORY WRITE 123 fe:00:456 0 EOF", process 123. proc_locks(5).
fn holder(file: &File) -> String {
    let inode = file.metadata().map_or(0, |file| file.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut locks = locks
        .lines()
        .map(|lock| lock.split_whitespace().collect::<Vec<_>>());
    let is_it = |lock: &Vec<&str>| lock[1] == "FLOCK" && lock[5].ends_with(&format!(":{inode}"));
    locks
        .find(is_it)
        .map_or("another process".to_owned(), |lock| {
            format!("process {}", lock[4])
        })
}
