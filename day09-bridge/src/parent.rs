//! The host's side of `run`: starts the child, and waits for it. Called by `main`.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::cli::RunOptions;
use crate::container::{Container, Status};
use crate::detach::Caller;
use crate::failure::{Failure, KILLED, warn};
use crate::network::Net;
use crate::network::bridge;
use crate::network::etc;
use crate::state::process::Process;
use crate::state::store::Record;
use crate::terminal::Terminal;
use crate::{namespaces, signals};

/// Runs the command to its end, and returns the exit code to pass on.
///
/// A `caller` is told when it has started.
pub fn run(options: RunOptions, state: &Path, caller: Option<Caller>) -> Result<u8, Failure> {
    // The caller's mask would decide who may read what the container creates. This one is Docker's, too.
    umask(Mode::from_bits_truncate(0o022));
    let mut container = options.container(state)?;
    let mut record = Record::create(state, &container)?;
    let cgroup = Cgroup::create(&container.limits, &container.id)?;
    container.cgroup.clone_from(&cgroup.0);
    let signals = signals::block()?;
    let mut terminal = Terminal::ours();
    let (mut socket, childs_end) = UnixStream::pair().context("cannot create a socket pair")?;
    let child = namespaces::spawn_child(childs_end, terminal.is_some(), container.net)?;
    prepare(&mut container, &record, child)?;
    if let Some(terminal) = &mut terminal {
        terminal.lend(child)?;
    }
    // The child waits for this message, so whatever the host has to prepare comes before it.
    send(&socket, &container)?;
    if let Some(signal) = signals::before(&socket)? {
        // There is no command yet to forward it to.
        kill(child, Signal::SIGKILL).context("cannot kill the child")?;
        wait(child, &signals)?;
        return Ok(128 + signal as u8);
    }
    // Silence means success: the child's end closes by itself when its exec succeeds.
    let mut failure = Vec::new();
    let _ = socket.read_to_end(&mut failure);
    if !failure.is_empty() {
        let code = wait(child, &signals)?;
        let reason = anyhow!("{}", String::from_utf8_lossy(&failure));
        return Err(Failure { code, reason });
    }
    record.keep();
    if let Some(caller) = caller {
        caller.started(&container.id);
    }
    let code = wait(child, &signals)?;
    note_its_end(container, &record, cgroup, code);
    Ok(code)
}

/// Does what only the host can. The child has to wait for that.
fn prepare(container: &mut Container, record: &Record, child: Pid) -> Result<()> {
    container.process = Some(Process::of(child)?);
    container.status = Status::Running;
    if container.net == Net::Bridge {
        container.address = Some(bridge::attach(child).context("cannot use --net bridge")?);
    }
    etc::write(container)?;
    record.save(container)
}

/// Tells the child what to become.
fn send(mut socket: &UnixStream, container: &Container) -> Result<()> {
    let description = serde_json::to_vec(container).context("cannot serialize the container")?;
    // If the child is dead already, what it has said, or how it ended, tells more than this error.
    let sent = socket.write_all(&description);
    let _ = sent.and_then(|()| socket.shutdown(Shutdown::Write));
    Ok(())
}

fn note_its_end(mut container: Container, record: &Record, cgroup: Cgroup, code: u8) {
    container.out_of_memory = code == KILLED && cgroup.ran_out_of_memory();
    drop(cgroup);
    container.status = Status::Exited;
    container.exit_code = Some(code);
    // The command has done its work, and its exit code is worth more than this error.
    if let Err(error) = record.save(&container) {
        warn(&error);
    }
}

/// Waits for the end of `child`, and returns the exit code to pass on.
fn wait(child: Pid, signals: &SignalFd) -> Result<u8> {
    loop {
        if let Some((_, status)) = signals::ended(child).context("cannot wait for the command")? {
            return Ok(signals::exit_code(status));
        }
        signals::forward(signals, child)?;
    }
}
