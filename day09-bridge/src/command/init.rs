//! `run --init`: a PID 1 that does what the kernel expects of one, and then starts the command. pid_namespaces(7).

use std::convert::Infallible;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::exit;

use anyhow::{Context, Result};
use nix::sys::prctl::set_name;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{ForkResult, Pid, fork};

use crate::detach::close_from;
use crate::failure::Failure;
use crate::signals;

/// Returns in a new process, which becomes the command. PID 1 stays, and ends as that one does.
pub fn start(socket: &UnixStream) -> Result<()> {
    // Init never execs, so what the caller's shell has left open would stay open. The command still needs the socket.
    close_from(socket.as_raw_fd() + 1)?;
    // Blocked, a signal waits to be read. One that is neither handled nor blocked does not even reach PID 1.
    let all = SigSet::all();
    all.thread_block().context("cannot block signals")?;
    set_name(c"init").context("cannot change the process name")?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => Ok(()),
        ForkResult::Parent { child } => {
            // There is no way back to the code that owns the socket: from now on, the signals have its number.
            let closed = close_from(socket.as_raw_fd());
            let Err(error) = closed.and_then(|()| be_init(child, &all));
            exit(Failure::from(error).report().into())
        }
    }
}

/// Forwards signals to `command`, and reaps every process that has lost its parent, until `command` ends.
fn be_init(command: Pid, all: &SigSet) -> Result<Infallible> {
    let signals = SignalFd::new(all).context("cannot create a signalfd")?;
    loop {
        // One SIGCHLD may stand for several children.
        let any = Pid::from_raw(-1);
        while let Some((pid, status)) = signals::ended(any).context("cannot reap a process")? {
            if pid == command {
                exit(signals::exit_code(status).into());
            }
        }
        signals::forward(&signals, command)?;
    }
}
