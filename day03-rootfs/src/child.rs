//! The container's side of `run`: turns a fresh process into the container, then becomes its command. Called by `main`.

use std::convert::Infallible;
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;
use nix::unistd::sethostname;

use crate::container::Container;
use crate::failure::Failure;
use crate::{command, namespaces, rootfs};

/// Returns only if something has failed. The parent reads the reason from the socket, and tells the user.
pub fn main() -> Result<u8, Failure> {
    let mut socket = namespaces::childs_socket()?;
    let Err(failure) = become_container(&socket);
    // If the parent is dead, nobody reads it, and there is nobody to tell.
    let _ = write!(socket, "{:#}", failure.reason);
    Ok(failure.code)
}

fn become_container(socket: &UnixStream) -> Result<Infallible, Failure> {
    // This waits until the parent has prepared the host's side, and closes its half of the socket.
    let container: Container = serde_json::from_reader(BufReader::new(socket))
        .context("cannot read the container's configuration")?;

    namespaces::make_mounts_private()?;
    sethostname(&container.hostname).context("cannot set the hostname")?;
    rootfs::enter(&container.rootfs)?;
    command::exec(&container)
}
