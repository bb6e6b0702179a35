//! The container's side of `run`: turns a fresh process into the container, then becomes its command. Called by `main`.

use std::convert::Infallible;
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;
use nix::unistd::sethostname;

use crate::command::{environment, init, workdir};
use crate::container::Container;
use crate::failure::Failure;
use crate::terminal::pty;
use crate::{cgroup, command, detach, namespaces, network, rootfs};

// ANCHOR: child
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

    cgroup::enter(cgroup::doors(&container.cgroup)?)?;
    namespaces::hide_cgroups()?;
    sethostname(&container.hostname).context("cannot set the hostname")?;
    if let Some(log) = container.log.as_ref().filter(|_| !container.tty) {
        detach::redirect_to_log(log, container.interactive)?;
    }
    network::enter(container.net, container.address, container.subnet)?;
    rootfs::enter(&container)?;
    let user = container.privileges.user()?;
    if container.tty {
        pty::open(socket, user.uid, container.console)?;
        pty::be_console()?;
        pty::control()?;
    }
    if let Some(directory) = &container.directory {
        workdir::enter(directory)?;
    }
    container.privileges.apply(&user)?;
    match container.log {
        // In the background it outlives its supervisor. Others can still stop it.
        Some(_) if !container.tty => namespaces::untie_from_runtime()?,
        _ => namespaces::tie_to_runtime(socket)?,
    }
    if container.init {
        init::start()?;
    }
    let own = &container.environment;
    let environment = environment::complete(&container.hostname, &user.home, own);
    command::exec(&container.command, &environment)
}
// ANCHOR_END: child
