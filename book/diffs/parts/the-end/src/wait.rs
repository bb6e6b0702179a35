//! `wait`: waits until containers have ended. flock(2).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use crate::failure::{FAILED, print, shown, warn};
use crate::state::open_regular;
use crate::state::paths;
use crate::state::store;

// ANCHOR: wait
/// Prints the exit code of each container that `ids` mean, once it has ended.
pub fn wait(ids: &[String], state: &Path) -> Result<u8> {
    let mut code = 0;
    for id in ids {
        match one(id, state).with_context(|| format!("cannot wait for {}", shown(id))) {
            Ok(exit_code) => code = code.max(print(exit_code)),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    Ok(code)
}

/// Its `run` holds the lock until the very end, and leaves the exit code in it. With --rm, everything else goes away.
fn one(id: &str, state: &Path) -> Result<u8> {
    let container = store::find(state, id)?;
    let path = paths::lock(state, &container.id);
    let lock = open_regular(&path, File::options().read(true)).context("cannot open its lock")?;
    if let Some(process) = container.running()? {
        process.ends_before(None)?;
    }
    store::ended(&lock);
    let mut told = String::new();
    lock.take(3)
        .read_to_string(&mut told)
        .context("cannot read its exit code")?;
    let told = told.trim().parse().ok();
    let code = told.or_else(|| store::find(state, id).ok()?.exit_code);
    code.context("its exit code is unknown: its supervisor was killed, or could not record it")
}
// ANCHOR_END: wait
