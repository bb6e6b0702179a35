//! `exec`: another command in a running container. This is the caller's side, which `main` calls.
//!
//! It finds the container in [`crate::state`], and forks [`waiter`], which waits for the command. That starts
//! [`guest`], which joins the container. As for `run`, [`crate::terminal`] carries what is typed and printed.

pub mod guest;
pub mod waiter;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::exit;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, Pid, fork};

use crate::command::environment::Variables;
use crate::command::workdir;
use crate::container::Container;
use crate::detach::Caller;
use crate::failure::{Failure, shown};
use crate::signals;
use crate::state::store;
use crate::terminal::pty::Received;
use crate::terminal::relay::Relay;
use crate::terminal::{pty, stdio};

/// How long a command may take to start after a signal that should end it, in milliseconds.
const GRACE: u16 = 5000;

/// Run a command in a running container
#[derive(Args)]
pub struct Options {
    /// Run the command in the background, and discard its output
    #[arg(short, long)]
    pub detach: bool,
    /// Pass your stdin to the command
    #[arg(short, long)]
    pub interactive: bool,
    /// Allocate a pseudo-TTY
    #[arg(short, long)]
    pub tty: bool,
    #[command(flatten)]
    pub environment: Variables,
    /// Working directory inside the container
    #[arg(short, long, value_name = "DIR", value_parser = workdir::check)]
    pub workdir: Option<PathBuf>,
    /// Username or UID, and optionally a group name or GID
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// The container's name or id, or a unique prefix of the id
    pub id: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}

// ANCHOR: run
/// Runs the command to its end, and returns the exit code to pass on. A `caller` is told when it has started.
pub fn run(options: Options, state: &Path, caller: Option<Caller>) -> Result<u8, Failure> {
    let typed = options.interactive && options.tty && !options.detach;
    pty::check_stdin(typed)?;
    // As for `run`.
    umask(Mode::from_bits_truncate(0o022));
    let cannot = format!("cannot run a command in {}", shown(&options.id));
    let container = find(&options.id, state).context(cannot.clone());
    let guest = as_guest(container.map_err(Failure::ordinary)?, options)?;

    let signals = signals::block()?;
    let (stdio, pipes) = stdio::divide(&guest)?;
    let (socket, waiters_end) = UnixStream::pair().context("cannot create a socket pair")?;
    // SAFETY: this process has one thread, so the new one can go on as if it were this one.
    let waiter = match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            drop((socket, pipes, caller));
            exit(waiter::main(&guest, stdio, waiters_end, &signals).into())
        }
        ForkResult::Parent { child } => child,
    };
    drop((stdio, waiters_end));
    let mut received = Received::default();
    loop {
        if let Some(code) = interrupted(&socket, waiter)? {
            return Ok(code);
        }
        if !received.more(&socket) {
            break;
        }
    }
    if !received.said.is_empty() {
        let code = signals::wait(waiter, &signals, None)?;
        let reason = anyhow!("{}", String::from_utf8_lossy(&received.said)).context(cannot);
        return Err(Failure { code, reason });
    }
    if let Some(caller) = caller {
        caller.started(None);
    }
    match received.terminal {
        Some(end) => Relay::new(end, &guest)?.run(waiter, &signals),
        None => pipes.run(waiter, &signals, waiter),
    }
    .map_err(Failure::from)
}
// ANCHOR_END: run

/// Waits for news of the command. If a signal comes first, and then no news, nothing will start any more: returns the
/// exit code.
///
/// A container with CAP_SYS_PTRACE may keep the waiter listening forever: see [`Received::more`].
fn interrupted(socket: &UnixStream, waiter: Pid) -> Result<Option<u8>> {
    let Some(signal) = signals::before(socket)? else {
        return Ok(None);
    };
    // If the command has started meanwhile, it gets the signal.
    signals::send(signal, waiter)?;
    let mut news = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    if poll(&mut news, GRACE) != Ok(0) {
        return Ok(None);
    }
    signals::send(libc::SIGKILL, waiter)?;
    Ok(Some(128 + signal as u8))
}

/// A container that has started. Before that, its PID 1 still has the host's root.
fn find(id: &str, state: &Path) -> Result<Container> {
    let found = store::find(state, id)?;
    store::started(state, &found.id)?;
    let container = store::find(state, id)?;
    match container.running()? {
        Some(_) => Ok(container),
        None => bail!("it is not running"),
    }
}

// ANCHOR: as_guest
/// Describes the `container` as the command will find it: like its first command, except for what the `options` change.
fn as_guest(mut container: Container, options: Options) -> Result<Container> {
    container.command = options.command;
    container.environment.extend(options.environment.resolve()?);
    let directory = options.workdir.filter(|given| given != Path::new(""));
    container.directory = directory.or(container.directory);
    container.interactive = options.interactive;
    container.tty = options.tty;
    container.console = options.tty.then(pty::callers_size).flatten();
    // As in Docker, the log contains only what the container's first command prints.
    container.log = options.detach.then(|| PathBuf::from("/dev/null"));
    if let Some(user) = options.user.filter(|user| !user.is_empty()) {
        container.privileges.of_user(user);
    }
    Ok(container)
}
// ANCHOR_END: as_guest
