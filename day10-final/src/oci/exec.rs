//! `exec`: a further process in a container.

mod describe;
pub mod options;

use std::io::{IsTerminal, stdout};
use std::mem::replace;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use oci_spec::runtime::Process;

use crate::oci::cgroup::join::parse_below;
use crate::oci::channel::{Channel, News, Orders};
use crate::oci::commands::run::wait_for;
use crate::oci::container::{Container, Status};
use crate::oci::create::how_it_ended;
use crate::oci::exec::describe::describe;
use crate::oci::exec::options::Options;
use crate::oci::follow::{first_process, until_ready};
use crate::oci::process::affinity;
use crate::oci::spawn::{self, Descriptors, inherited};
use crate::oci::store::Store;
use crate::oci::{console, pid};
use crate::signals;

/// Runs it, and returns its exit code.
pub fn exec(options: Options, store: &Store) -> Result<u8> {
    let entry = store.find(&options.id)?;
    let container = entry.read()?;
    match entry.status(&container)? {
        Status::Stopped => bail!("cannot exec in a stopped container"),
        Status::Paused if !options.ignore_paused => {
            bail!("cannot exec in a paused container\nhint: use --ignore-paused")
        }
        _ => (),
    }
    // Another command may want the container while this one runs.
    drop(entry);
    let process = describe(&options, &container)?;
    let wants_terminal = process.terminal() == Some(true);
    let socket = options.console_socket.as_deref();
    let (console, terminal) = console::ends(socket, wants_terminal, options.detach)?;
    let signals = signals::block()?;
    let first = start(&options, &container, process, console)?;
    if let Err(error) = tell(&options, first) {
        let _ = kill(first, Signal::SIGKILL);
        let _ = waitpid(first, None);
        return Err(error);
    }
    match options.detach {
        true => Ok(0),
        false => wait_for(first, &signals, terminal),
    }
}

/// Tells our caller which process it is.
fn tell(options: &Options, first: Pid) -> Result<()> {
    if let Some(path) = &options.pidfd_socket {
        pid::send(first, path)?;
    }
    match &options.pid_file {
        Some(file) => pid::write(first, file),
        None => Ok(()),
    }
}

fn start(
    options: &Options,
    container: &Container,
    process: Process,
    console: Option<UnixStream>,
) -> Result<Pid> {
    let (ours, theirs) = UnixStream::pair().context("cannot create a socket pair")?;
    let descriptors = Descriptors {
        socket: theirs.as_fd(),
        console: console.as_ref().map(|console| console.as_fd()),
        gate: None,
    };
    let inherited = inherited::count(options.preserve_fds)?;
    // With version 2, it may have to follow the container's first process elsewhere. And while it starts, it is two
    // processes. Where these would be too many, a process can still be moved there: the kernel never refuses that.
    let by_itself =
        options.cgroup.is_empty() && !container.groups.is_unified && container.groups.has_room();
    let top = match by_itself {
        true => container.groups.top()?,
        false => None,
    };
    let top = top.as_ref().map(|top| top.as_fd());
    let program = spawn::protected()?;
    let (stage, in_top) = spawn::init(&program, &descriptors, inherited.number, top)?;
    drop((theirs, console));
    let mut channel = Channel::new(ours);
    let mut spec = container.spec.clone();
    spec.set_process(Some(process));
    let orders = Orders {
        id: container.id.clone(),
        bundle: container.bundle.clone(),
        rootfs: container.rootfs.clone(),
        spec,
        join: Some(container.process.clone()),
        groups: container.groups.clone(),
        to_enter: match by_itself {
            true => container.groups.to_enter(in_top),
            false => Vec::new(),
        },
        to_file: !options.detach && !stdout().is_terminal(),
        preserve_fds: inherited.number,
        by_root: true,
        listen_fds: inherited.listen_fds,
        no_pivot: false,
        new_keyring: container.new_keyring,
    };
    let mut child = stage;
    let started = follow(&mut channel, &orders, container, options, &mut child);
    if started.is_err() {
        let _ = kill(child, Signal::SIGKILL);
        let _ = waitpid(child, None);
    }
    started
}

// ANCHOR: follow
fn follow(
    channel: &mut Channel,
    orders: &Orders,
    container: &Container,
    options: &Options,
    child: &mut Pid,
) -> Result<Pid> {
    let process = orders.spec.process().as_ref();
    let process = process.context("process is missing")?;
    affinity::begin(*child, process)?;
    channel.order(orders)?;
    let first = first_process(channel, *child, |_| bail!("init wants a new container"))?;
    let Some(first) = first else {
        return Err(how_it_ended(*child, &container.groups));
    };
    let stage = replace(child, first);
    if orders.to_enter.is_empty() {
        let init = Pid::from_raw(container.process.pid);
        let below = parse_below(&options.cgroup)?;
        container.groups.join(first, init, &below)?;
    }
    affinity::end(first, process)?;
    channel.go_on()?;
    waitpid(stage, None).context("cannot wait for init")?;
    let unexpected = "the process has reported something unexpected";
    let is_ready = until_ready(channel, first, container, &orders.spec, || {
        bail!("{unexpected}")
    })?;
    if !is_ready {
        return Err(how_it_ended(first, &container.groups));
    }
    match channel.receive()? {
        // Its exec has closed the other end.
        None => Ok(first),
        Some(News::Failed(reason)) => bail!("{reason}"),
        Some(_) => bail!("{unexpected}"),
    }
}
// ANCHOR_END: follow
