//! The container's side of `exec`: joins a container, then starts the command. setns(2), namespaces(7).
//!
//! Two processes take part. The first one joins, and gives up all that the container is not to have. It has no pid in
//! there, so nobody inside can find it, stop it or trace it. Only then it starts the second one, which becomes the command.
//! Whoever catches that one early has caught nothing that they do not have themselves: CVE-2016-9962. (Its end of the socket
//! they have then, too. So the host's side believes nothing that it hears there.)

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::sched::{CloneFlags, clone, setns};
use nix::sys::prctl::set_dumpable;
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::{Pid, setsid};
use serde::Deserialize;
use serde_json::Deserializer;

use crate::command::{environment, workdir};
use crate::container::Container;
use crate::failure::{Failure, NOT_EXECUTABLE};
use crate::rootfs::dev;
use crate::state::process::Process;
use crate::terminal::pty;
use crate::{cgroup, command, namespaces};

/// The mounts come last: with them goes the way to the others.
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "net", "pid", "uts", "mnt"];

/// Far more than is used before exec; what is not used costs nothing.
const STACK: usize = 256 * 1024;

// ANCHOR: main
/// Tells the parent the command's pid, or why there is none.
pub fn main() -> Result<u8, Failure> {
    let socket = namespaces::childs_socket()?;
    match join(&socket) {
        Ok(command) => {
            let pid = command.as_raw().to_ne_bytes();
            // The command's process has the socket, too, and whoever traces it may have filled it by now.
            let (fd, now) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            send(fd, &pid, now).context("cannot send its pid")?;
            Ok(0)
        }
        Err(failure) => Ok(tell(&failure, &socket)),
    }
}

pub fn tell(failure: &Failure, mut socket: &UnixStream) -> u8 {
    let _ = write!(socket, "{:#}", failure.reason);
    failure.code
}

/// The order counts. First what needs the host's files, then what needs the host's power; and then that is gone.
fn join(socket: &UnixStream) -> Result<Pid, Failure> {
    let mut orders = Deserializer::from_reader(BufReader::new(socket));
    let container =
        Container::deserialize(&mut orders).context("cannot read the container's configuration")?;
    // Nothing in the container may be opened with the power that this process still has.
    dev::protect_null()?;
    dev::check_stdio()?;
    let process = container.process.as_ref().context("it has no process")?;
    let others = others(process)?;
    cgroup::enter(cgroup::doors(&container.cgroup)?)?;
    enter(others)?;

    let user = container.privileges.user()?;
    if container.tty {
        pty::open(socket, user.uid, container.console)?;
    }
    if let Some(directory) = &container.directory {
        workdir::enter(directory).map_err(|reason| Failure {
            code: NOT_EXECUTABLE,
            reason,
        })?;
    }
    container.privileges.apply(&user)?;
    // What is still in this program's memory is nobody's business either, until exec replaces it.
    set_dumpable(false).context("cannot disable tracing by the container")?;
    let own = &container.environment;
    let environment = environment::complete(&container.hostname, &user.home, own);
    start(socket, &container, &environment)
}
// ANCHOR_END: main

// ANCHOR: enter_namespaces
/// Those of `process` that are not ours already: with --net host, say, there is nothing to enter.
fn others(process: &Process) -> Result<Vec<(&'static str, File)>, Failure> {
    let mut others = Vec::new();
    // Its first thread may have ended, and then has no namespaces.
    let threads = fs::read_dir(format!("/proc/{}/task", process.pid));
    let mut threads = threads.into_iter().flatten().flatten();
    let thread = threads.find(|thread| fs::read_link(thread.path().join("ns/mnt")).is_ok());
    let thread = thread.ok_or_else(not_running)?.path();
    for name in NAMESPACES {
        let (ours, theirs) = (
            format!("/proc/self/ns/{name}"),
            thread.join("ns").join(name),
        );
        if fs::read_link(ours).ok() != fs::read_link(&theirs).ok() {
            let opened = File::open(theirs).map_err(|error| match error.kind() {
                ErrorKind::NotFound => not_running(),
                _ => anyhow!("cannot open its {name} namespace: {error}").into(),
            });
            others.push((name, opened?));
        }
    }
    // What we have opened may have been another one's, who has got its pid.
    match process.is_alive() {
        true => Ok(others),
        false => Err(not_running()),
    }
}

/// Enters them. Of the one for pids, only what this process starts will be a part.
fn enter(namespaces: Vec<(&str, File)>) -> Result<(), Failure> {
    let root = || {
        let root = fs::metadata("/").context("cannot stat /")?;
        anyhow::Ok((root.dev(), root.ino()))
    };
    let hosts = root()?;
    for (name, namespace) in namespaces {
        let any = CloneFlags::empty();
        setns(namespace, any).with_context(|| format!("cannot join its {name} namespace"))?;
    }
    // On an earlier day, a chroot kept it in. Who joins its mounts would be outside of that.
    match root()? == hosts {
        true => Err(anyhow!(
            "its root is the host's: it was started on an earlier day\nhint: start it again"
        )
        .into()),
        false => Ok(()),
    }
}
// ANCHOR_END: enter_namespaces

// ANCHOR: start
/// Starts the command in the container's PID namespace: as a child of the parent's, which has to wait for it.
fn start(
    socket: &UnixStream,
    container: &Container,
    environment: &[String],
) -> Result<Pid, Failure> {
    let begin = || {
        let Err(failure) = become_guest(socket, container, environment);
        isize::from(tell(&failure, socket))
    };
    let mut stack = vec![0; STACK];
    let (flags, signal) = (CloneFlags::CLONE_PARENT, Some(libc::SIGCHLD));
    // SAFETY: this process has one thread. The new one has a copy of its memory, and a stack of its own.
    match unsafe { clone(Box::new(begin), &mut stack, flags, signal) } {
        // Its PID 1 has ended: pid_namespaces(7).
        Err(Errno::ENOMEM) => Err(not_running()),
        started => Ok(started.context("cannot start a process")?),
    }
}

fn become_guest(
    mut socket: &UnixStream,
    container: &Container,
    environment: &[String],
) -> Result<Infallible, Failure> {
    // Ends when the parent knows of us.
    let _ = socket.read(&mut [0]);
    setsid().context("cannot create a session")?;
    if container.tty {
        pty::control()?;
    }
    namespaces::tie_to_runtime(socket)?;
    command::exec(&container.command, environment)
}
// ANCHOR_END: start

pub fn not_running() -> Failure {
    Failure::ordinary(anyhow!("it is not running"))
}
