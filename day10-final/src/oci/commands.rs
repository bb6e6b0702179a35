//! The commands, one function each.

pub mod events;
pub mod features;
pub mod list;
pub mod ps;
pub mod run;
pub mod update;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use nix::unistd::{Pid, User};
use oci_spec::runtime::LinuxNamespaceType as Kind;

use crate::oci::container::{Container, Status};
use crate::oci::create::Created;
use crate::oci::create::options::Options;
use crate::oci::lifecycle::{self, destroy, end, poststart};
use crate::oci::namespaces::is_new;
use crate::oci::store::{Entry, Store};
use crate::oci::{create, pid};
use crate::signals;
use crate::state::pidfd::PidFd;

pub fn create(options: &Options, store: &Store) -> Result<u8> {
    // No signal ends us halfway.
    let _signals = signals::block()?;
    let Created {
        entry, container, ..
    } = create::create(options, store, true)?;
    if let Some(path) = &options.pidfd_socket
        && let Err(error) = pid::send(Pid::from_raw(container.process.pid), path)
    {
        end(&container)?;
        destroy(entry, &container)?;
        return Err(error);
    }
    Ok(0)
}

pub fn start(id: &str, store: &Store) -> Result<u8> {
    let entry = store.find(id)?;
    let container = entry.read()?;
    lifecycle::start(&entry, &container)?;
    // The hooks may want it.
    drop(entry);
    if let Err(error) = poststart(&container) {
        end(&container)?;
        destroy(store.find(id)?, &container)?;
        return Err(error);
    }
    Ok(0)
}

pub fn state(id: &str, store: &Store) -> Result<u8> {
    let entry = store.look(id)?;
    let container = entry.read()?;
    let owner = User::from_uid(container.owner.into()).ok().flatten();
    let mut state = container.state(entry.status(&container)?);
    state.rootfs = Some(&container.rootfs);
    state.created = Some(&container.created);
    state.owner = Some(owner.map_or_else(String::new, |user| user.name));
    print(&state)
}

/// Prints JSON for people.
pub fn print(value: &impl serde::Serialize) -> Result<u8> {
    Ok(crate::failure::print(serde_json::to_string_pretty(value)?))
}

#[derive(Args)]
pub struct Kill {
    /// Send it to all processes of the container
    #[arg(short, long)]
    all: bool,
    id: String,
    /// A name or a number
    #[arg(default_value = "TERM")]
    signal: String,
}

// ANCHOR: kill
pub fn kill(options: &Kill, store: &Store) -> Result<u8> {
    let number = match options.signal.as_str() {
        "0" => 0,
        name => crate::kill::named(name)?,
    };
    let entry = store.look(&options.id)?;
    let container = entry.read()?;
    let own_pids = is_new(&container.spec, Kind::Pid);
    let gone = container.pid().is_none();
    // An ordinary user's container may have no cgroup. Then only the first process is known.
    let known = !container.groups.paths.is_empty();
    if known && (number == libc::SIGKILL && !own_pids || options.all) {
        // The end of its first process does not end the others.
        ensure!(
            !gone || !container.groups.pids()?.is_empty() || options.all,
            "container not running"
        );
        container.groups.signal_all(number)?;
        thaw_to_end(&container, number)?;
        return Ok(0);
    }
    if gone && options.all {
        return Ok(0);
    }
    let first = PidFd::open(container.process.pid)?.filter(|_| container.process.exists());
    first.context("container not running")?.signal(number)?;
    thaw_to_end(&container, number)?;
    Ok(0)
}
// ANCHOR_END: kill

/// In version 1, a frozen process does not even end when it is killed.
fn thaw_to_end(container: &Container, signal: i32) -> Result<()> {
    match signal == libc::SIGKILL && container.groups.is_frozen()? {
        true => container.groups.thaw(),
        false => Ok(()),
    }
}

#[derive(Args)]
pub struct Delete {
    /// Kill it first, if it runs
    #[arg(short, long)]
    force: bool,
    id: String,
}

// ANCHOR: delete
pub fn delete(options: &Delete, store: &Store) -> Result<u8> {
    let entry = match store.find(&options.id) {
        Err(_) if options.force && store.lacks(&options.id) => return Ok(0),
        entry => entry?,
    };
    let container = match entry.read() {
        // A `create` that was killed has left no more than this.
        Err(_) if options.force && !entry.has_state() => {
            entry.remove()?;
            return Ok(0);
        }
        container => container?,
    };
    match entry.status(&container)? {
        Status::Stopped => (),
        Status::Created => end(&container)?,
        _ if options.force => end(&container)?,
        status => bail!(
            "cannot delete container {} that is not stopped: {}\nhint: use --force",
            container.id,
            status.name()
        ),
    }
    destroy(entry, &container)?;
    Ok(0)
}
// ANCHOR_END: delete

pub fn pause(id: &str, store: &Store) -> Result<u8> {
    let (entry, container) = alive(id, store)?;
    match entry.status(&container)? {
        Status::Created | Status::Running => container.groups.freeze()?,
        status => bail!("cannot pause a container that is {}", status.name()),
    }
    Ok(0)
}

pub fn resume(id: &str, store: &Store) -> Result<u8> {
    let (entry, container) = alive(id, store)?;
    match entry.status(&container)? {
        Status::Paused => container.groups.thaw()?,
        status => bail!("cannot resume a container that is {}", status.name()),
    }
    Ok(0)
}

/// A container that has not stopped.
pub fn alive(id: &str, store: &Store) -> Result<(Entry, Container)> {
    let entry = store.find(id)?;
    let container = entry.read()?;
    ensure!(container.pid().is_some(), "container {id} is not running");
    Ok((entry, container))
}
