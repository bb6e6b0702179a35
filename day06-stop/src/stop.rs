//! `stop`: asks a container to end, and kills it if it does not. The run that waits for it notices its end by itself.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::container::Status;
use crate::failure::{FAILED, KILLED, warn};
use crate::state::id::Id;
use crate::state::pidfd::PidFd;
use crate::state::store;
use crate::state::store::Record;

/// Stops the containers that `ids` mean. All are asked first, so that all have the same `seconds`.
pub fn stop(ids: &[String], seconds: u32, state: &Path) -> Result<u8> {
    let deadline = Instant::now() + Duration::from_secs(seconds.into());
    let asked: Vec<_> = ids.iter().map(|id| terminate(id, state)).collect();
    let mut code = 0;
    for (id, asked) in ids.iter().zip(asked) {
        let stopped = asked.and_then(|(id, process)| kill(&id, process, deadline, state));
        match stopped.with_context(|| format!("cannot stop {id}")) {
            // Even if nobody reads it, the others still have to be stopped.
            Ok(()) => drop(writeln!(io::stdout(), "{id}")),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    Ok(code)
}

/// SIGTERM: the program may finish what it is doing. Without a process, it had ended already.
fn terminate(id: &str, state: &Path) -> Result<(Id, Option<PidFd>)> {
    let container = store::find(state, id)?;
    let process = container.running()?;
    if let Some(process) = &process {
        process.signal(Signal::SIGTERM)?;
    }
    Ok((container.id, process))
}

/// SIGKILL at the `deadline`: nothing can catch that. When PID 1 dies, the kernel kills the rest.
fn kill(id: &Id, process: Option<PidFd>, deadline: Instant, state: &Path) -> Result<()> {
    let Some(process) = process else {
        return Ok(());
    };
    let in_time = process.ends_before(Some(deadline))?;
    if !in_time {
        process.signal(Signal::SIGKILL)?;
        process.ends_before(None)?;
    }
    // It has stopped, even if that cannot be recorded (for example on a full disk).
    if let Err(error) = record_it(id, in_time, state) {
        warn(&error);
    }
    Ok(())
}

/// Its run still holds the lock of the record, until it has written the exit code or been killed.
fn record_it(id: &Id, in_time: bool, state: &Path) -> Result<()> {
    let record = Record::open(state, id)?;
    let mut container = record.load()?;
    container.status = Status::Stopped;
    if !in_time {
        // Unless it has ended by itself at the last moment.
        container.exit_code.get_or_insert(KILLED);
    }
    record.save(&container)
}
