//! `run --init`: a PID 1 that does what the kernel expects of one. pid_namespaces(7).

use std::convert::Infallible;
use std::fs;
use std::os::fd::RawFd;
use std::process::exit;

use anyhow::{Context, Result};
use libc::STDERR_FILENO;
use nix::sys::prctl::set_name;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{ForkResult, Pid, close, fork};

use crate::parent::{ended, exit_code};
use crate::signals;

// ANCHOR: start
/// Returns in a new process, which becomes the command. PID 1 stays, and ends as that one does.
pub fn start() -> Result<()> {
    // Blocked, a signal waits to be read. One that is neither handled nor blocked does not even reach PID 1.
    let all = SigSet::all();
    all.thread_block().context("cannot block signals")?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => Ok(()),
        ForkResult::Parent { child } => {
            let Err(error) = be_init(child, &all);
            Err(error)
        }
    }
}
// ANCHOR_END: start

// ANCHOR: be_init
/// Passes the signals on to `command`, and reaps whoever has lost its parent, until `command` ends.
fn be_init(command: Pid, all: &SigSet) -> Result<Infallible> {
    set_name(c"init").context("cannot change the name")?;
    close_the_rest()?;
    let signals = SignalFd::new(all).context("cannot create a signalfd")?;
    loop {
        // One SIGCHLD may stand for several children.
        let any = Pid::from_raw(-1);
        while let Some((pid, status)) = ended(any).context("cannot reap")? {
            if pid == command {
                exit(exit_code(status).into());
            }
        }
        signals::pass_on(&signals, command, None)?;
    }
}
// ANCHOR_END: be_init

/// Init never execs, which would do this: the socket must close, and what the caller's shell had open, too.
fn close_the_rest() -> Result<()> {
    let open = fs::read_dir("/proc/self/fd").context("cannot list the open descriptors")?;
    let open: Vec<RawFd> = open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|&fd| fd > STDERR_FILENO) {
        // EBADF for the one that has listed them.
        let _ = close(fd);
    }
    Ok(())
}
