//! `wait`: for the end of containers. flock(2).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::failure::{FAILED, warn};
use crate::store;

// ANCHOR: wait
/// Prints the exit code of each of the containers that `ids` mean, when it has ended.
pub fn wait(ids: &[String], state: &Path) -> Result<u8> {
    let mut code = 0;
    for id in ids {
        match one(id, state).with_context(|| format!("cannot wait for {}", store::shown(id))) {
            Ok(exit_code) => drop(writeln!(io::stdout(), "{exit_code}")),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    Ok(code)
}

/// Its run holds the lock to the last, and then leaves the exit code in it: with --rm, all the rest goes away.
fn one(id: &str, state: &Path) -> Result<u8> {
    let container = store::find(state, id)?;
    let lock = store::lock_file(state, &container.id);
    let mut lock = File::open(lock).context("cannot open its lock")?;
    if let Some(process) = container.running()? {
        process.ends_before(None)?;
    }
    for_its_run(&lock);
    let mut told = String::new();
    lock.read_to_string(&mut told)
        .context("cannot read its exit code")?;
    let recorded = || store::find(state, id).ok()?.exit_code;
    let code = told.parse().ok().or_else(recorded);
    code.context("nobody has seen it end: its run was killed")
}
// ANCHOR_END: wait

/// How long a run may take to note the end of its container, and to let go of its files.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until the run of a container that has ended lets go of its `lock`. For one that has been stopped, not for ever.
pub fn for_its_run(lock: &File) {
    let patience = Instant::now() + PATIENCE;
    while lock.try_lock_shared().is_err() && Instant::now() < patience {
        sleep(Duration::from_millis(5));
    }
}
