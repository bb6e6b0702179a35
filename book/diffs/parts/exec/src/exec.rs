//! `exec`: another command in a running container. This is the caller's side, which `main` calls.
//!
//! It finds the container in [`crate::state`], and forks [`waiter`], which waits for the command. That starts
//! [`guest`], which joins the container. As for `run`, [`crate::terminal`] carries what is printed.

pub mod guest;
pub mod waiter;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::exit;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, fork};

use crate::command::environment::Variables;
use crate::command::workdir;
use crate::container::Container;
use crate::failure::{Failure, shown};
use crate::signals;
use crate::state::store;
use crate::terminal::pty::Received;
use crate::terminal::stdio;

#[derive(Args)]
pub struct Options {
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
/// Runs the command to its end, and returns the exit code to pass on.
pub fn run(options: Options, state: &Path) -> Result<u8, Failure> {
    // As for `run`.
    umask(Mode::from_bits_truncate(0o022));
    let cannot = format!("cannot run a command in {}", shown(&options.id));
    let container = find(&options.id, state).context(cannot.clone());
    let guest = as_guest(container.map_err(Failure::ordinary)?, options)?;

    let signals = signals::block()?;
    let (stdio, pipes) = stdio::divide()?;
    let (socket, waiters_end) = UnixStream::pair().context("cannot create a socket pair")?;
    // SAFETY: this process has one thread, so the new one can go on as if it were this one.
    let waiter = match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            drop((socket, pipes));
            exit(waiter::main(&guest, stdio, waiters_end, &signals).into())
        }
        ForkResult::Parent { child } => child,
    };
    drop((stdio, waiters_end));
    let mut received = Received::default();
    while received.more(&socket) {}
    if !received.said.is_empty() {
        let code = signals::wait(waiter, &signals, None)?;
        let reason = anyhow!("{}", String::from_utf8_lossy(&received.said)).context(cannot);
        return Err(Failure { code, reason });
    }
    Ok(pipes.run(waiter, &signals, waiter)?)
}
// ANCHOR_END: run

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
    if let Some(user) = options.user.filter(|user| !user.is_empty()) {
        container.privileges.of_user(user);
    }
    Ok(container)
}
// ANCHOR_END: as_guest
