//! `kill`: sends a signal to a container's PID 1. signal(7).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::failure::{FAILED, warn};
use crate::store;

/// A signal as the user names it: HUP, SIGHUP, or 1.
fn named(text: &str) -> Result<Signal> {
    let name = text.to_ascii_uppercase();
    let name = format!("SIG{}", name.strip_prefix("SIG").unwrap_or(&name));
    let number = text.parse().ok();
    let by_number = number.and_then(|number: i32| Signal::try_from(number).ok());
    by_number
        .or_else(|| name.parse().ok())
        .with_context(|| format!("there is no signal {}\nhint: kill -l", store::shown(text)))
}

// ANCHOR: kill
/// Sends `signal` to the containers that `ids` mean. What becomes of them is theirs to decide, except for
/// SIGKILL: then they have ended when this returns.
pub fn kill(ids: &[String], signal: &str, state: &Path) -> Result<u8> {
    let signal = named(signal)?;
    let mut code = 0;
    for id in ids {
        match one(id, signal, state).with_context(|| format!("cannot kill {}", store::shown(id))) {
            Ok(()) => drop(writeln!(io::stdout(), "{id}")),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    Ok(code)
}

fn one(id: &str, signal: Signal, state: &Path) -> Result<()> {
    let container = store::find(state, id)?;
    if signal != Signal::SIGKILL {
        // Before, there is no command that could hear it.
        store::started(state, &container.id)?;
    }
    let lock = File::open(store::lock_file(state, &container.id));
    match container.running()? {
        Some(process) if signal == Signal::SIGKILL => process.kill(&container.id)?,
        Some(process) => return process.signal(signal),
        None => bail!("it is not running"),
    }
    lock.iter().for_each(wait_for_its_record);
    Ok(())
}
// ANCHOR_END: kill

/// Its run holds the `lock` until the record tells how it has ended. For one that has been stopped, we do not wait.
fn wait_for_its_record(lock: &File) {
    let patience = Instant::now() + Duration::from_secs(1);
    while lock.try_lock_shared().is_err() && Instant::now() < patience {
        sleep(Duration::from_millis(5));
    }
}
