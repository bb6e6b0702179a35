//! `rm`: forgets a container, and removes what it has written.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cgroup;
use crate::failure::{FAILED, warn};
use crate::record::Record;
use crate::store::{self, NoSuch};

// ANCHOR: rm
/// Removes the containers that `ids` mean: with `force` the running ones, too.
pub fn remove(ids: &[String], force: bool, state: &Path) -> Result<u8> {
    let mut code = 0;
    for id in ids {
        match one(id, force, state).with_context(|| format!("cannot remove {}", store::shown(id))) {
            Ok(()) => drop(writeln!(io::stdout(), "{id}")),
            Err(error) => {
                warn(&error);
                // With force, what is not there is as it should be.
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
    let lock = File::open(store::lock_file(state, &container.id));
    if let Some(process) = container.running()? {
        if !force {
            bail!("it is running\nhint: tiny-docker rm -f {id}");
        }
        process.kill(&container.id)?;
    }
    // Its run is at the record until all that belongs to it is gone: with --rm, the record itself.
    if container.remove {
        if let Ok(lock) = lock {
            lock.lock_shared().context("cannot wait for its run")?;
        }
        if !store::exists(state, &container.id) {
            return Ok(());
        }
    }
    let mut record = Record::open(state, &container)?;
    cgroup::remove_of(&container.id);
    record.remove()
}
// ANCHOR_END: rm
