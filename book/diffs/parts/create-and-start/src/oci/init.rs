//! The container's side: `tiny-runc init`. It turns itself into the container, waits for `start`, and becomes the command.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{chdir, chroot, setsid};

use crate::failure::escaped;
use crate::oci::channel::{Channel, News, Orders};
use crate::oci::process::command::Command;
use crate::oci::{log, spawn};

/// Returns only if something has failed: the runtime reads the reason from the socket, and tells the user. Once it has
/// left, the container's stderr gets it.
pub fn main() -> ExitCode {
    let begin = || {
        let [socket, gate] = spawn::given()?;
        anyhow::Ok((Channel::new(spawn::socket(socket)?), gate))
    };
    match begin() {
        Ok((mut channel, gate)) => {
            let Err(error) = become_container(&mut channel, gate);
            tell(&channel, &error)
        }
        Err(error) => {
            log::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Once the runtime has left, whoever reads the container's stderr should know.
fn tell(channel: &Channel, error: &anyhow::Error) -> ExitCode {
    if channel.send(&News::Failed(format!("{error:#}"))).is_err() {
        log::say(&escaped(&format!("{error:#}")));
    }
    ExitCode::FAILURE
}

// ANCHOR: become_container
fn become_container(channel: &mut Channel, gate: Option<OwnedFd>) -> Result<Infallible> {
    set_pdeathsig(Signal::SIGKILL).context("cannot set the parent-death signal")?;
    let orders: Orders = channel.receive()?.context("there are no orders")?;
    // What is in this program's memory is nobody else's business until exec replaces it.
    set_dumpable(false).context("cannot disable tracing by the container")?;
    setsid().context("cannot create a session")?;
    let spec = &orders.spec;
    let process = spec.process().as_ref().context("process is missing")?;
    chroot(&orders.rootfs).context("cannot change the root directory")?;
    chdir(process.cwd()).context("process.cwd")?;
    let command = Command::new(process)?;
    spawn::close_from(3)?;
    let program = command.find()?;
    command.prepare()?;
    set_pdeathsig(None).context("cannot clear the parent-death signal")?;
    channel.tell(News::Ready)?;
    // It stays open until exec closes it.
    let gate = gate.map(File::from);
    if let Some(gate) = &gate {
        wait_at(gate)?;
    }
    command.exec(&program)
}
// ANCHOR_END: become_container

/// Until somebody calls `start`.
fn wait_at(mut gate: &File) -> Result<()> {
    gate.read_exact(&mut [0]).context("cannot wait for start")
}
