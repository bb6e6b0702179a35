//! `run`: `create` and `start` in one, and most often the wait for its end.

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use clap::Args;
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

use crate::oci::create::options::Options;
use crate::oci::create::{self, Created};
use crate::oci::lifecycle::{begin, destroy, poststart};
use crate::oci::pid;
use crate::oci::store::Store;
use crate::signals;
use crate::terminal::pty::Received;
use crate::terminal::pty::copy_size;
use crate::terminal::relay::Relay;

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    create: Options,
    /// Do not wait for it
    #[arg(short, long)]
    detach: bool,
    /// Do not delete it at its end
    #[arg(long)]
    keep: bool,
    /// Accepted for runc's sake: we are nobody's subreaper
    #[arg(long, hide = true)]
    no_subreaper: bool,
}

// ANCHOR: run
pub fn run(options: &Run, store: &Store) -> Result<u8> {
    let signals = signals::block()?;
    let created = create::create(&options.create, store, options.detach)?;
    let Created {
        entry,
        container,
        terminal,
    } = created;
    let first = Pid::from_raw(container.process.pid);
    let started = begin(&entry, &container);
    // Others may want the container meanwhile, and the first of them may be a hook.
    drop(entry);
    let started = started.and_then(|()| poststart(&container));
    let started = started.and_then(|()| match &options.create.pidfd_socket {
        Some(path) => pid::send(first, path),
        None => Ok(()),
    });
    if let Err(error) = started {
        let _ = signals::send(libc::SIGKILL, first);
        let _ = signals::wait(first, &signals, None);
        destroy(store.find(&container.id)?, &container)?;
        return Err(error);
    }
    if options.detach {
        return Ok(0);
    }
    let code = wait_for(first, &signals, terminal)?;
    // It may have been deleted by then.
    if !options.keep
        && let Ok(entry) = store.find(&container.id)
    {
        destroy(entry, &container)?;
    }
    Ok(code)
}
// ANCHOR_END: run

// ANCHOR: wait_for
/// Forwards signals, and what is typed at a terminal, until the end of `first`. Returns its exit code.
pub fn wait_for(first: Pid, signals: &SignalFd, terminal: Option<UnixStream>) -> Result<u8> {
    let Some(socket) = terminal else {
        return signals::wait(first, signals, None);
    };
    let mut received = Received::default();
    while received.terminal.is_none() && received.more(&socket) {}
    let terminal = received
        .terminal
        .context("the container has sent no terminal")?;
    copy_size(&terminal)?;
    Relay::to_caller(terminal)?.run(first, signals)
}
// ANCHOR_END: wait_for
