//! `rm`: removes a container's record, and everything that it has written. It uses the state's room and the cgroup's.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cgroup;
use crate::failure::{FAILED, print, shown, warn};
use crate::state::id::Id;
use crate::state::open_regular;
use crate::state::record::Record;
use crate::state::store::{self, LOCK_SECONDS, NoSuch};
use crate::state::{abandoned, lock, name, paths};

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
    // If a `run` was killed, nobody else does this.
    abandoned::remove(state);
    Ok(code)
}

fn one(id: &str, force: bool, state: &Path) -> Result<()> {
    let found = store::resolve(state, id)?;
    let container = match store::find(state, &found.to_string()) {
        Err(error) if error.is::<NoSuch>() => return Err(error),
        Err(error) if !force => bail!("{error:#}\nhint: tiny-docker rm -f {found}"),
        Err(_) => return remove_damaged(&found, state),
        Ok(container) => container,
    };
    let path = paths::lock(state, &container.id);
    let lock = open_regular(&path, File::options().read(true));
    if let Some(process) = container.running()? {
        if !force {
            bail!("it is running\nhint: tiny-docker rm -f {id}");
        }
        process.kill(&container.id)?;
    }
    let Ok(lock) = lock else {
        return remove_damaged(&found, state);
    };
    // Its `run` keeps the record locked until everything else is gone. With --rm, it removes the record, too.
    if container.remove {
        let ended = lock::wait(&lock, &path, File::try_lock_shared, LOCK_SECONDS);
        ended.context("cannot wait for its supervisor")?;
        if !paths::exists(state, &container.id) {
            return Ok(());
        }
    }
    // Otherwise, we would wait for ourselves.
    drop(lock);
    let mut record = Record::open(state, &container)?;
    cgroup::remove_those(|id| *id == container.id);
    record.remove()
}

/// A damaged record may be empty, and its place may be taken by something that is not a record at all.
fn remove_damaged(id: &Id, state: &Path) -> Result<()> {
    cgroup::remove_those(|other| other == id);
    Record::remove_damaged(state, id)?;
    if let Some(_all) = store::try_lock_all(state) {
        name::remove_abandoned(state);
    }
    Ok(())
}
// ANCHOR_END: rm
