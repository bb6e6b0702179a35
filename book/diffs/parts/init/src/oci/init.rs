//! The container's side: `tiny-runc init`. It turns itself into the container, and becomes the command.

use std::convert::Infallible;
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
        let [socket] = spawn::given()?;
        Ok(Channel::new(spawn::socket(socket)?))
    };
    match begin() {
        Ok(mut channel) => {
            let Err(error) = become_container(&mut channel);
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
fn become_container(channel: &mut Channel) -> Result<Infallible> {
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
    command.exec(&program)
}
// ANCHOR_END: become_container
