//! The host's side of `run`: starts the child, and waits for it. Called by `main`.

use std::io::Write;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, geteuid};

use crate::cgroup::Cgroup;
use crate::cli::RunOptions;
use crate::container::{Container, Status, now};
use crate::detach::Caller;
use crate::failure::{Failure, KILLED, warn};
use crate::namespaces::idmap;
use crate::network::Net;
use crate::network::bridge;
use crate::network::bridge::Veth;
use crate::network::etc;
use crate::network::proxy::Proxy;
use crate::rootfs::layer;
use crate::state::abandoned;
use crate::state::process::Process;
use crate::state::record::Record;
use crate::terminal::pty::{self, Received};
use crate::terminal::relay::Relay;
use crate::terminal::stdio::{self, Pipes};
use crate::terminal::{State, Terminal};
use crate::{namespaces, signals};

/// Runs the command to its end, and returns the exit code to pass on.
///
/// A `caller` is told when it has started.
pub fn run(mut options: RunOptions, state: &Path, caller: Option<Caller>) -> Result<u8, Failure> {
    pty::check_stdin(options.interactive && options.tty && !options.detach)?;
    // The caller's mask would decide who may read what the container creates. This one is Docker's, too.
    umask(Mode::from_bits_truncate(0o022));
    let image = options.image(state)?;
    let mut container = options.container(state, image.as_ref())?;
    let reserved = container.ports.reserve(container.net)?;
    let signals = signals::block()?;
    // Even if it is not lent, the command may have it as its stdin.
    let _as_it_was = State::of_stdin();
    let mut terminal = Terminal::to_lend(&container)?;
    let (socket, childs_end) = UnixStream::pair().context("cannot create a socket pair")?;
    let (child, pipes) = spawn(&container, childs_end, terminal.is_some())?;

    // Meanwhile, the child starts this program again, which takes longer than what follows.
    abandoned::free(state, &container.name);
    let mut record = Record::create(state, &mut container)?;
    let cgroup = Cgroup::create(&container.limits, &container.id)?;
    container.cgroup.clone_from(&cgroup.0);
    let network = prepare(&mut container, &mut record, child, state, reserved)?;
    // Now the record keeps the image.
    drop(image);
    if let Some(terminal) = &mut terminal {
        terminal.lend(child)?;
    }
    // The child waits for this message, so whatever the host has to prepare comes before it.
    send(&socket, &container)?;
    // Silence means success: the child's end closes by itself when its exec succeeds.
    let mut received = Received::default();
    if let Some(signal) = received.all(&socket)? {
        // There is no command yet to forward it to.
        kill(child, Signal::SIGKILL).context("cannot kill the child")?;
        signals::wait(child, &signals, None)?;
        return Ok(128 + signal as u8);
    }
    if !received.said.is_empty() {
        let code = signals::wait(child, &signals, None)?;
        let reason = anyhow!("{}", String::from_utf8_lossy(&received.said));
        return Err(Failure { code, reason });
    }
    let relay = received.terminal.map(|end| Relay::new(end, &container));
    let relay = relay.transpose()?;
    record.keep();
    if let Some(caller) = caller {
        caller.started(Some(&container.id));
    }
    abandoned::remove_cgroups(state);
    let stdio = (relay, terminal, pipes);
    let code = wait(child, &signals, container.init, stdio)?;
    drop(network);
    note_its_end(container, record, cgroup, code);
    abandoned::remove_records(state);
    Ok(code)
}

/// Does what only the host can. Until the result is dropped, the container is connected.
fn prepare(
    container: &mut Container,
    record: &mut Record,
    child: Pid,
    state: &Path,
    reserved: Vec<OwnedFd>,
) -> Result<Option<(Proxy, Veth)>> {
    if !geteuid().is_root() {
        idmap::map(child)?;
    }
    container.process = Some(Process::of(child)?);
    container.status = Status::Running;
    let veth = (container.net == Net::Bridge)
        .then(|| bridge::attach(child, container.subnet, &container.ports, state))
        .transpose()
        .context("cannot use --net bridge")?;
    container.address = veth.as_ref().map(|veth| veth.address);
    record.save(container)?;
    etc::write(container)?;
    layer::create(&container.layer)?;
    let connect = |veth: Veth| {
        let proxy = Proxy::start(reserved, &container.ports, veth.address)?;
        Ok((proxy, veth))
    };
    veth.map(connect).transpose()
}

/// Tells the child what to become.
fn send(mut socket: &UnixStream, container: &Container) -> Result<()> {
    let description = serde_json::to_vec(container).context("cannot serialize the container")?;
    // If the child is dead already, what it has said, or how it ended, tells more than this error.
    let sent = socket.write_all(&description);
    let _ = sent.and_then(|()| socket.shutdown(Shutdown::Write));
    Ok(())
}

/// The container's first process, and our side of what goes through its stdin, stdout and stderr.
fn spawn(container: &Container, socket: UnixStream, lend_terminal: bool) -> Result<(Pid, Pipes)> {
    let spawn = || namespaces::spawn_child(socket, lend_terminal, container.net);
    if lend_terminal || container.has_own_stdio() {
        return Ok((spawn()?, Pipes::default()));
    }
    let (stdio, pipes) = stdio::divide_for_run()?;
    Ok((stdio::with(stdio, spawn)?, pipes))
}

/// The command has done its work, and its exit code is worth more than an error here.
fn note_its_end(mut container: Container, mut record: Record, cgroup: Cgroup, code: u8) {
    container.out_of_memory = code == KILLED && cgroup.ran_out_of_memory();
    drop(cgroup);
    container.status = Status::Exited;
    container.exit_code = Some(code);
    container.finished_at = Some(now());
    record.tell(code);
    let noted = match container.remove {
        true => record.remove(),
        false => record.save(&container),
    };
    if let Err(error) = noted {
        warn(&error);
    }
}

/// Waits for the end of `child`, and looks after its terminal or pipes. Returns the exit code to pass on.
fn wait(
    child: Pid,
    signals: &SignalFd,
    init: bool,
    stdio: (Option<Relay>, Option<Terminal>, Pipes),
) -> Result<u8> {
    // Its process group is not ours, so we pass keys on: to all of it or, with --init, to init, which tells the
    // command.
    let at_keyboard = Pid::from_raw(if init { 1 } else { -1 } * child.as_raw());
    match stdio {
        (Some(relay), ..) => relay.run(child, signals),
        (None, Some(terminal), _) => terminal.run(child, signals, at_keyboard),
        (None, None, pipes) => pipes.run(child, signals, at_keyboard),
    }
}
