//! `rm`: removes a container's record, and everything that it has written.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::failure::{FAILED, print, shown, warn};
use crate::state::store::{self, LOCK_SECONDS, NoSuch, Record};
use crate::state::{lock, paths};

// ANCHOR: rm
/// Removes the containers that `ids` mean, and with `force` even those that are running.
pub fn remove(ids: &[String], force: bool, state: &Path) -> Result<u8> {
    let mut code = 0;
    for id in ids {
        match one(id, force, state).with_context(|| format!("cannot remove {}", shown(id))) {
            Ok(()) => code = code.max(print(id)),
            Err(error) => {
                warn(&error);
                // With `force`, it is fine if there is nothing to remove.
                if !(force && error.is::<NoSuch>()) {
                    code = FAILED;
                }
            }
        }
    }
    Ok(code)
}

fn one(id: &str, force: bool, state: &Path) -> Result<()> {
    let container = store::find(state, id)?;
    let path = paths::lock(state, &container.id);
    let lock = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    if let Some(process) = container.running()? {
        if !force {
            bail!("it is running\nhint: tiny-docker rm -f {id}");
        }
        process.kill(&container.id)?;
    }
    // Its `run` keeps the record locked until everything else is gone. With --rm, it removes the record, too.
    if container.remove {
        let ended = lock::wait(&lock, &path, LOCK_SECONDS);
        ended.context("cannot wait for its supervisor")?;
        if !path.exists() {
            return Ok(());
        }
    }
    // Otherwise, we would wait for ourselves.
    drop(lock);
    Record::open(state, &container.id)?.remove()
}
// ANCHOR_END: rm
