//! The container's side of `exec`: joins a container, then becomes the command. setns(2), namespaces(7).

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::exit;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_dumpable;
use nix::unistd::{ForkResult, close, fork, setsid};

use crate::container::Container;
use crate::failure::{Failure, NOT_EXECUTABLE};
use crate::parent::wait;
use crate::process::Process;
use crate::{cgroup, command, detach, dev, environment, namespaces, pty, signals, workdir};

/// The mounts come last: with them goes the way to the others.
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "net", "pid", "uts", "mnt"];

// ANCHOR: main
/// Returns only where something failed. The parent reads why from the socket, and tells the user.
pub fn main() -> Result<u8, Failure> {
    let mut socket = namespaces::childs_socket()?;
    let Err(failure) = join(&socket);
    let _ = write!(socket, "{:#}", failure.reason);
    Ok(failure.code)
}

fn join(socket: &UnixStream) -> Result<Infallible, Failure> {
    // From here to exec, this process has the host's power, and soon the container's processes can see it. None of them may
    // trace it, or look at what it has open: CVE-2016-9962.
    set_dumpable(false).context("cannot hide from the container")?;
    let container: Container =
        serde_json::from_reader(BufReader::new(socket)).context("cannot read what to become")?;
    let doors = cgroup::doors(&container.cgroup)?;
    enter_namespaces(container.process.as_ref().context("it has no process")?)?;
    let signals = signals::hold()?;
    // Who joins a PID namespace stays outside: only what it starts is in there. So this process waits, unseen.
    // SAFETY: this process has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => become_guest(socket, &container, doors),
        Ok(ForkResult::Parent { child }) => {
            // The parent hears that the command has started by the end of this.
            let _ = close(socket.as_raw_fd());
            exit(wait(child, &signals, None)?.into())
        }
        // Its PID 1 has ended: pid_namespaces(7).
        Err(Errno::ENOMEM) => Err(anyhow!("it is not running").into()),
        Err(errno) => Err(anyhow!("cannot fork: {errno}").into()),
    }
}
// ANCHOR_END: main

// ANCHOR: enter_namespaces
/// Enters those of `process` that are not ours already: with --net host, say, there is nothing to enter.
fn enter_namespaces(process: &Process) -> Result<()> {
    let others = others(process);
    // What we have opened may have been another one's, who has got its pid.
    ensure!(process.is_alive(), "it is not running");
    for (name, namespace) in others? {
        let any = CloneFlags::empty();
        setns(namespace, any).with_context(|| format!("cannot join its {name} namespace"))?;
    }
    Ok(())
}

fn others(process: &Process) -> Result<Vec<(&'static str, File)>> {
    let mut others = Vec::new();
    for name in NAMESPACES {
        let cannot = || format!("cannot open its {name} namespace");
        let theirs = File::open(format!("/proc/{}/ns/{name}", process.pid)).with_context(cannot)?;
        let ours = fs::metadata(format!("/proc/self/ns/{name}")).with_context(cannot)?;
        if theirs.metadata().with_context(cannot)?.ino() != ours.ino() {
            others.push((name, theirs));
        }
    }
    Ok(others)
}
// ANCHOR_END: enter_namespaces

// ANCHOR: become_guest
/// Nearly what [`crate::child`] does: but all that had to be made has been made.
fn become_guest(
    socket: &UnixStream,
    container: &Container,
    doors: Vec<File>,
) -> Result<Infallible, Failure> {
    cgroup::enter(doors)?;
    setsid().context("cannot create a session")?;
    dev::check_stdio()?;
    let user = container.privileges.user()?;
    match &container.log {
        _ if container.tty => pty::open(socket, user.uid)?,
        Some(log) => detach::write_to(log, container.interactive)?,
        None => (),
    }
    if let Some(directory) = &container.directory {
        workdir::enter(directory).map_err(|reason| Failure {
            code: NOT_EXECUTABLE,
            reason,
        })?;
    }
    container.privileges.apply(&user)?;
    namespaces::tie_to_runtime(socket)?;
    let own = &container.environment;
    let environment = environment::complete(&container.hostname, &user.home, own);
    command::exec(&container.command, &environment)
}
// ANCHOR_END: become_guest
