//! The container's side: `tiny-runc init`.
//!
//! Two processes take part. The first one, on the host, starts the second one, its copy in the new namespaces. That one
//! turns itself into the container, waits for `start`, and becomes the command.

mod host;

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{ExitCode, exit};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, sethostname, setsid};
use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};

use crate::failure::escaped;
use crate::network::device;
use crate::oci::channel::{Channel, News, Orders};
use crate::oci::init::host::{Host, join};
use crate::oci::namespaces::{self, is_new};
use crate::oci::process::command::Command;
use crate::oci::rootfs::{self};
use crate::oci::{log, spawn};

/// Returns only if something has failed: the runtime reads the reason from the socket, and tells the user. Once it has
/// left, the container's stderr gets it.
pub fn main() -> ExitCode {
    let begin = || {
        let [socket, gate] = spawn::given()?;
        let channel = Channel::new(spawn::socket(socket)?);
        anyhow::Ok((channel, gate))
    };
    match begin() {
        Ok((channel, gate)) => prepare(channel, gate),
        Err(error) => {
            log::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn prepare(mut channel: Channel, gate: Option<OwnedFd>) -> ExitCode {
    let prepared = join(&mut channel).and_then(|(orders, mut host)| {
        host.gate = gate;
        let first = start(&mut channel, &orders, host)?;
        // It has the socket, too. It speaks only after this message has been answered.
        channel.send(&News::Started(first.as_raw()))
    });
    match prepared {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => tell(&channel, &error),
    }
}

/// Once the runtime has left, whoever reads the container's stderr should know.
fn tell(channel: &Channel, error: &anyhow::Error) -> ExitCode {
    if channel.send(&News::Failed(format!("{error:#}"))).is_err() {
        log::say(&escaped(&format!("{error:#}")));
    }
    ExitCode::FAILURE
}

// ANCHOR: start
/// Starts the second process, as a child of the runtime, which has to wait for it.
fn start(channel: &mut Channel, orders: &Orders, host: Host) -> Result<Pid> {
    let started = spawn::fork(namespaces::new(&orders.spec) | CloneFlags::CLONE_PARENT);
    match started {
        Ok(Some(first)) => Ok(first),
        Ok(None) => {
            let Err(error) = become_container(channel, orders, host);
            tell(channel, &error);
            exit(1)
        }
        Err(errno) => Err(crate::namespaces::refused(errno)).context("cannot create namespaces"),
    }
}
// ANCHOR_END: start

// ANCHOR: become_container
fn become_container(channel: &mut Channel, orders: &Orders, host: Host) -> Result<Infallible> {
    // This ends when the runtime knows our pid.
    channel.receive::<()>()?.context("the runtime has ended")?;
    set_pdeathsig(Signal::SIGKILL).context("cannot set the parent-death signal")?;
    // What is in this program's memory is nobody else's business until exec replaces it.
    set_dumpable(false).context("cannot disable tracing by the container")?;
    setsid().context("cannot create a session")?;
    let spec = &orders.spec;
    let process = spec.process().as_ref().context("process is missing")?;
    name_it(spec)?;
    rootfs::enter(orders)?;
    nix::unistd::chdir(process.cwd()).context("process.cwd")?;
    let command = Command::new(process)?;
    spawn::close_from(3)?;
    let program = command.find()?;
    command.prepare()?;
    set_pdeathsig(None).context("cannot clear the parent-death signal")?;
    channel.tell(News::Ready)?;
    // It stays open until exec closes it.
    let gate = host.gate.map(File::from);
    if let Some(gate) = &gate {
        wait_at(gate)?;
    }
    command.exec(&program)
}
// ANCHOR_END: become_container

// ANCHOR: wait_at
/// Until somebody calls `start`.
fn wait_at(mut gate: &File) -> Result<()> {
    gate.read_exact(&mut [0]).context("cannot wait for start")
}
// ANCHOR_END: wait_at

/// setdomainname(2).
fn set_domain_name(name: &str) -> nix::Result<()> {
    // SAFETY: setdomainname(2) reads as many bytes as it is told.
    Errno::result(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// What the container calls itself; and its loopback device, which begins switched off.
fn name_it(spec: &Spec) -> Result<()> {
    if let Some(name) = spec.hostname().as_deref().filter(|name| !name.is_empty()) {
        sethostname(name).with_context(|| format!("hostname: cannot set {name:?}"))?;
    }
    if let Some(name) = spec.domainname().as_deref().filter(|name| !name.is_empty()) {
        set_domain_name(name).with_context(|| format!("domainname: cannot set {name:?}"))?;
    }
    if is_new(spec, Kind::Network) {
        device::set_flags("lo", libc::IFF_UP).context("cannot bring up the loopback device")?;
    }
    Ok(())
}
