//! `run --init`: a PID 1 that does what the kernel expects of one. pid_namespaces(7).
//!
//! The child starts it before the command. It reaps as the parent does: both use [`crate::signals`].

use std::convert::Infallible;
use std::fs;
use std::io::{self, PipeWriter, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::process::exit;

use anyhow::{Context, Result};
use libc::STDERR_FILENO;
use nix::sys::prctl::set_name;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{ForkResult, Pid, close, fork};

use crate::failure::Failure;
use crate::signals;

/// Returns in a new process, which becomes the command. PID 1 stays, and ends as that one does.
pub fn start() -> Result<()> {
    // Blocked, a signal waits to be read. One that is neither handled nor blocked does not even reach PID 1.
    let all = SigSet::all();
    all.thread_block().context("cannot block signals")?;
    set_name(c"init").context("cannot change the process name")?;
    // The command must not see init before it is complete. So it waits for the end of this pipe, which init closes
    // last.
    let (mut ready, inits_end) = io::pipe().context("cannot create a pipe")?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            drop(inits_end);
            let _ = ready.read(&mut [0]);
            Ok(())
        }
        ForkResult::Parent { child } => {
            // There is no way back to the process that had a socket or a pipe here: the signals have its number now.
            let Err(error) = be_init(child, &all, inits_end);
            exit(Failure::from(error).report().into())
        }
    }
}

/// Forwards signals to `command`, and reaps every process that has lost its parent, until `command` ends.
fn be_init(command: Pid, all: &SigSet, held: PipeWriter) -> Result<Infallible> {
    close_others(held.as_raw_fd())?;
    let signals = SignalFd::new(all).context("cannot create a signalfd")?;
    drop(held);
    loop {
        // One SIGCHLD may stand for several children.
        let any = Pid::from_raw(-1);
        while let Some((pid, status)) = signals::ended(any).context("cannot reap a process")? {
            if pid == command {
                exit(signals::exit_code(status).into());
            }
        }
        signals::forward(&signals, command, None)?;
    }
}

/// Init never execs, which would do this: the socket must close, and what the caller's shell had open, too.
fn close_others(held: RawFd) -> Result<()> {
    let open = fs::read_dir("/proc/self/fd").context("cannot list the open descriptors")?;
    let open: Vec<RawFd> = open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let others = open.into_iter().filter(|&fd| fd > STDERR_FILENO);
    for fd in others.filter(|&fd| fd != held) {
        // EBADF for the one that has listed them.
        let _ = close(fd);
    }
    Ok(())
}
