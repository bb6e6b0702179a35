//! The process between `exec` and its command: it waits for the command, and no key can stop it. pid_namespaces(7).
//!
//! A container has not ended until each of its processes has been waited for. The parent of the command is on the host.
//! If that were `exec` itself, a Ctrl-Z at its terminal would keep the container from ending, and `stop` would wait.
//!
//! [`crate::exec`] forks it. It starts [`guest`].

use std::io::Write;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};

use crate::container::Container;
use crate::exec::guest;
use crate::failure::{Failure, RUNTIME_FAILED};
use crate::terminal::pty::Received;
use crate::terminal::stdio::be;
use crate::{detach, namespaces, signals};

// ANCHOR: main
/// Starts the command with `stdio` as its stdin, stdout and stderr, waits for its end, and returns its exit code.
///
/// `exec` reads the result from the `socket`: an error, or silence.
pub fn main(
    guest: &Container,
    stdio: [OwnedFd; 3],
    mut socket: UnixStream,
    signals: &SignalFd,
) -> u8 {
    let started = be_no_job(&socket).map_err(Failure::from);
    let (child, failure) = match started.and_then(|()| start(guest, stdio)) {
        Ok(started) => started,
        Err(failure) => return guest::tell(&failure, &socket),
    };
    let _ = socket.write_all(&failure);
    drop(socket);
    signals::wait(child, signals, None).unwrap_or(RUNTIME_FAILED)
}

/// In a session of its own, this process is not a job of the caller's shell. It still ends with `exec`.
fn be_no_job(socket: &UnixStream) -> Result<()> {
    setsid().context("cannot create a session")?;
    namespaces::tie_to_runtime(socket)
}
// ANCHOR_END: main

// ANCHOR: start
/// The command's process, and its error if it cannot start.
type Started = (Pid, Vec<u8>);

/// Starts another process, which joins the container and starts the command there, as a child of this one.
fn start(guest: &Container, stdio: [OwnedFd; 3]) -> Result<Started, Failure> {
    let (mut socket, childs_end) = UnixStream::pair().context("cannot create a socket pair")?;
    let host = guest.process.as_ref().context("it has no process")?;
    be(stdio)?;
    let joiner = namespaces::spawn_guest(childs_end, host);
    let joiner = joiner.map_err(|error| match host.is_alive() {
        true => error.into(),
        // The container has ended since it was found.
        false => guest::not_running(),
    })?;
    let null = || detach::null().map(OwnedFd::from);
    be([null()?, null()?, null()?])?;
    let description = serde_json::to_vec(guest).context("cannot serialize the command")?;
    // If the joiner is dead already, what it has said, or how it ended, tells us more than this error.
    let _ = socket.write_all(&description);
    let ended = waitpid(joiner, None).context("cannot wait for the process that joins it")?;
    // The command's process has waited for this: now the joiner no longer counts in the container's group.
    let _ = socket.shutdown(Shutdown::Write);

    // The pid comes first. After that, silence means success, as for `run`.
    let mut received = Received::default();
    while received.more(&socket) {}
    match (ended, received.said.split_first_chunk()) {
        (WaitStatus::Exited(_, 0), Some((pid, failure))) => {
            let child = Pid::from_raw(i32::from_ne_bytes(*pid));
            Ok((child, failure.to_owned()))
        }
        (WaitStatus::Exited(_, code), _) => Err(Failure {
            code: code as u8,
            reason: anyhow!("{}", String::from_utf8_lossy(&received.said)),
        }),
        // The kernel kills it if the container's memory is used up.
        _ => Err(anyhow!("the process that joined it was killed").into()),
    }
}
// ANCHOR_END: start
