//! `exec`: a command more in a container that runs. The host's side, as [`crate::parent`] is that of `run`.

use std::io::Write;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, dup2_stdin};

use crate::container::Container;
use crate::detach::{self, Caller};
use crate::environment::Variables;
use crate::failure::Failure;
use crate::parent::wait;
use crate::relay::Relay;
use crate::{guest, namespaces, pty, signals, store, workdir};

#[derive(Args)]
pub struct Options {
    /// Run in the background; what it prints is lost
    #[arg(short, long)]
    pub detach: bool,
    /// Let it read your stdin
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it a terminal of its own
    #[arg(short, long)]
    pub tty: bool,
    #[command(flatten)]
    pub environment: Variables,
    /// Where in the container it begins
    #[arg(short, long, value_name = "DIR", value_parser = workdir::check)]
    pub workdir: Option<PathBuf>,
    /// Run as this user of the container's, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// The container's name or id, or the beginning of the id
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
    if !options.interactive {
        dup2_stdin(detach::null()?).context("cannot close stdin")?;
    }
    let cannot = format!("cannot execute in {}", store::shown(&options.id));
    let container = find(&options.id, state).context(cannot.clone());
    let guest = as_guest(container.map_err(Failure::of_a_look)?, options)?;

    let signals = signals::hold()?;
    let (child, failure, terminals_end) =
        start(&guest).map_err(|Failure { code, reason }| Failure {
            code,
            reason: reason.context(cannot.clone()),
        })?;
    let relay = terminals_end.map(|end| Relay::new(end, guest.log.as_deref(), guest.interactive));
    let relay = relay.transpose()?;
    if let Some(caller) = caller.filter(|_| failure.is_empty()) {
        caller.started(None);
    }
    // It is in a session of its own, which does not hear the keyboard.
    let at_keyboard = Some(Pid::from_raw(-child.as_raw()));
    let code = match relay {
        Some(relay) if failure.is_empty() => relay.run(child, &signals)?,
        // Without its terminal it would hear a SIGHUP, and that would be its end.
        _held => wait(child, &signals, at_keyboard)?,
    };
    if failure.is_empty() {
        return Ok(code);
    }
    let reason = anyhow!("{}", String::from_utf8_lossy(&failure)).context(cannot);
    Err(Failure { code, reason })
}
// ANCHOR_END: run

// ANCHOR: start
/// The command's process, what it says in place of starting, and the runtime's side of its terminal.
type Started = (Pid, Vec<u8>, Option<OwnedFd>);

/// Has the command started, as a child of this process, by another one that joins the container first.
fn start(guest: &Container) -> Result<Started, Failure> {
    let (mut socket, childs_end) = UnixStream::pair().context("cannot create a socket pair")?;
    let host = guest.process.as_ref().context("it has no process")?;
    let joiner = namespaces::spawn_guest(childs_end, host);
    let joiner = joiner.map_err(|error| match host.is_alive() {
        true => error.into(),
        // It has ended since it was found.
        false => guest::not_running(),
    })?;
    let description = serde_json::to_vec(guest).context("cannot describe the command")?;
    // Where the joiner is dead already, what it has said, or how it ended, tells more than this error.
    let _ = socket.write_all(&description);
    let ended = waitpid(joiner, None).context("cannot wait for who joins it")?;
    // The command's process has waited for this: now the joiner no longer counts in the container's group.
    let _ = socket.shutdown(Shutdown::Write);

    // First the pid. Then silence means success, as for `run`.
    let (said, terminals_end) = pty::receive(&socket);
    match (ended, said.split_first_chunk()) {
        (WaitStatus::Exited(_, 0), Some((pid, failure))) => {
            let child = Pid::from_raw(i32::from_ne_bytes(*pid));
            match is_ours(child) {
                true => Ok((child, failure.to_owned(), terminals_end)),
                false => Err(anyhow!("a process in it has spoken for who joins it").into()),
            }
        }
        (WaitStatus::Exited(_, code), _) => Err(Failure {
            code: code as u8,
            reason: anyhow!("{}", String::from_utf8_lossy(&said)),
        }),
        // By the kernel, where the container's memory is used up.
        _ => Err(anyhow!("who joins it was killed").into()),
    }
}

/// Whether this process has such a child, dead or alive.
///
/// The command's process has the socket, too. A container with CAP_SYS_PTRACE can take it out of there, and name any
/// pid before the joiner does: -1, say, and the next signal that we pass on goes to all processes of the host's.
fn is_ours(child: Pid) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    child.as_raw() > 0 && waitid(Id::Pid(child), look) != Err(Errno::ECHILD)
}
// ANCHOR_END: start

/// One that has started: until then, its PID 1 has the host's root.
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
/// The `container` as the command is to find it. In all that is not asked for, it is as for its first one.
fn as_guest(mut container: Container, options: Options) -> Result<Container> {
    container.command = options.command;
    container.environment.extend(options.environment.resolve()?);
    container.directory = options.workdir.or(container.directory);
    container.interactive = options.interactive;
    container.tty = options.tty;
    // As in Docker, whose log is of the container's first command only.
    container.log = options.detach.then(|| PathBuf::from("/dev/null"));
    if let Some(user) = options.user.filter(|user| !user.is_empty()) {
        container.privileges.of_user(user);
    }
    Ok(container)
}
// ANCHOR_END: as_guest

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_a_child_is_ours() {
        let mut child = Command::new("true").spawn().unwrap();
        for pid in [-1, 0, 1, -(child.id() as i32), i32::MAX] {
            assert!(!is_ours(Pid::from_raw(pid)), "{pid}");
        }
        for _ in 0..2 {
            assert!(is_ours(Pid::from_raw(child.id() as i32)));
        }
        child.wait().unwrap();
        assert!(!is_ours(Pid::from_raw(child.id() as i32)));
    }
}
