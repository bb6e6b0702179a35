//! From the start of a container's command to the removal of what is left of it: runtime.md, "Lifecycle".

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use oci_spec::runtime::{Hooks, LinuxNamespaceType as Kind};

use crate::oci::container::{Container, Status};
use crate::oci::hooks;
use crate::oci::namespaces::is_new;
use crate::oci::store::Entry;
use crate::signals;

// ANCHOR: start
/// Lets the command of a created container begin.
pub fn start(entry: &Entry, container: &Container) -> Result<()> {
    match entry.status(container)? {
        Status::Created => (),
        Status::Stopped => bail!("cannot start a container that has stopped"),
        status => bail!("cannot start a container that is {}", status.name()),
    }
    begin(entry, container)
}

/// The same for one that has just been created, and is locked.
pub fn begin(entry: &Entry, container: &Container) -> Result<()> {
    let hooks = container.spec.hooks().as_ref();
    // The poststart hooks may rely on it. Nobody else has to wait.
    let wait = hooks.is_some_and(|hooks| hooks.poststart().is_some());
    entry.open_gate(wait)
}
// ANCHOR_END: start

/// Runs the hooks for this moment. If one fails, the container has to end.
pub fn poststart(container: &Container) -> Result<()> {
    let hooks = container.spec.hooks().as_ref();
    let state = container.state(Status::Running);
    hooks::run(hooks, Hooks::poststart, "poststart", &state)
}

/// Kills it, and waits for its end, which should come within ten seconds.
pub fn end(container: &Container) -> Result<()> {
    let Some(first) = container.pid() else {
        return Ok(());
    };
    signals::send(libc::SIGKILL, first)?;
    if container.groups.is_frozen()? {
        container.groups.thaw()?;
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut pause = Duration::from_millis(1);
    while container.pid().is_some() {
        ensure!(Instant::now() < deadline, "container init still running");
        thread::sleep(pause);
        pause = Duration::from_millis(100).min(pause * 2);
    }
    Ok(())
}

/// Removes what is left of a container. The poststop hooks run when it is gone.
pub fn destroy(entry: Entry, container: &Container) -> Result<()> {
    if !is_new(&container.spec, Kind::Pid) {
        // The end of its first process does not end the others.
        container.groups.kill_all()?;
    }
    container.groups.remove()?;
    entry.remove()?;
    let hooks = container.spec.hooks().as_ref();
    let state = container.state(Status::Stopped);
    hooks::run_poststop(hooks, &state);
    Ok(())
}
