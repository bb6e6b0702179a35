//! `stop`: asks a container to end, and kills it if it does not. The run that waits for it notices its end by itself.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::container::{Container, Status, now};
use crate::failure::{FAILED, KILLED, print, shown, warn};
use crate::kill;
use crate::state::abandoned;
use crate::state::pidfd::PidFd;
use crate::state::record::Record;
use crate::state::store::{self, NoSuch};

/// A container that has been asked to end.
struct Ending {
    container: Container,
    /// None if it had ended already.
    process: Option<PidFd>,
}

/// Stops the containers that `ids` mean. All are asked first, so that all have the same `seconds`. A negative number
/// means no limit.
pub fn stop(ids: &[String], signal: Option<&str>, seconds: i64, state: &Path) -> Result<u8> {
    let limit = seconds.try_into().map(Duration::from_secs).ok();
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let asked: Vec<_> = ids.iter().map(|id| terminate(id, signal, state)).collect();
    let mut code = 0;
    for (id, asked) in ids.iter().zip(asked) {
        let stopped = asked.and_then(|ending| kill(ending, deadline, state));
        match stopped.with_context(|| format!("cannot stop {}", shown(id))) {
            // Even if nobody reads it, the others still have to be stopped.
            Ok(()) => code = code.max(print(id)),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    // If a `run` was killed, nobody else does this.
    abandoned::remove(state);
    Ok(code)
}

/// SIGTERM: the program may finish what it is doing. Some programs, such as nginx, expect another signal.
fn terminate(id: &str, signal: Option<&str>, state: &Path) -> Result<Ending> {
    let container = store::find(state, id)?;
    let process = container.running()?;
    if let Some(process) = &process {
        let signal = signal.or(container.notes.stop_signal.as_deref());
        process.signal(signal.map_or(Ok(libc::SIGTERM), kill::named)?)?;
    }
    Ok(Ending { container, process })
}

/// SIGKILL at the `deadline`, if there is one: nothing can catch that. When PID 1 dies, the kernel kills the rest.
fn kill(ending: Ending, deadline: Option<Instant>, state: &Path) -> Result<()> {
    let Some(process) = ending.process else {
        return Ok(());
    };
    let in_time = process.ends_before(deadline)?;
    if !in_time {
        process.kill(&ending.container.id)?;
    }
    // It has stopped, even if that cannot be recorded (for example on a full disk).
    if let Err(error) = record_it(&ending.container, in_time, state) {
        warn(&error);
    }
    Ok(())
}

/// Its run still holds the lock of the record, until it has written the exit code or been killed.
fn record_it(container: &Container, in_time: bool, state: &Path) -> Result<()> {
    let mut record = match Record::open(state, container) {
        // With --rm, there is nothing left to change.
        Err(error) if error.is::<NoSuch>() => return Ok(()),
        record => record?,
    };
    let mut container = record.load()?;
    container.status = Status::Stopped;
    container.finished_at.get_or_insert_with(now);
    if !in_time {
        // Unless it has ended by itself at the last moment.
        container.exit_code.get_or_insert(KILLED);
    }
    record.save(&container)
}
