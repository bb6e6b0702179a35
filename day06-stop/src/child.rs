//! The container's side of `run`: turns a fresh process into the container, then becomes its command.

use std::convert::Infallible;
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;
use nix::unistd::sethostname;

use crate::command::init;
use crate::container::Container;
use crate::failure::Failure;
use crate::{command, detach, namespaces, rootfs};

// ANCHOR: child
/// Returns only where something failed. The parent reads why from the socket, and tells the user.
pub fn main() -> Result<u8, Failure> {
    let mut socket = namespaces::childs_socket()?;
    let Err(failure) = become_container(&socket);
    // Nobody reads it if the parent is dead. Then there is nobody to tell either.
    let _ = write!(socket, "{:#}", failure.reason);
    Ok(failure.code)
}

fn become_container(socket: &UnixStream) -> Result<Infallible, Failure> {
    // Ends when the parent has prepared the host's side, and closes its half of the socket.
    let container: Container = serde_json::from_reader(BufReader::new(socket))
        .context("cannot read the container's configuration")?;

    namespaces::make_mounts_private()?;
    sethostname(&container.hostname).context("cannot set the hostname")?;
    if let Some(log) = &container.log {
        detach::redirect_to_log(log)?;
    }
    rootfs::enter(&container.rootfs)?;
    if container.init {
        init::start(socket)?;
    }
    command::exec(&container)
}
// ANCHOR_END: child
