//! Locks that the kernel releases when their holder ends: flock(2). For whatever shares a file with other commands.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::failure::say;

// ANCHOR: wait
/// Locks `file`, opened as `path`. After a second, tells the user what it is waiting for. After `seconds`, gives up:
/// anyone who can open a file can lock it, and then be stopped by a Ctrl-Z.
pub fn wait(file: &File, path: &Path, seconds: u64) -> Result<()> {
    let path = path.display();
    for tries in 0..50 * seconds {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if tries == 50 => {
                say(&format!(
                    "waiting for {path}: another process holds the lock"
                ));
            }
            Err(TryLockError::WouldBlock) => (),
            locked => return locked.with_context(|| format!("cannot lock {path}")),
        }
        // Hundreds may be waiting, and should leave the CPU to the command that they wait for.
        sleep(Duration::from_millis(20));
    }
    bail!("cannot lock {path}: another process holds the lock")
}
// ANCHOR_END: wait
