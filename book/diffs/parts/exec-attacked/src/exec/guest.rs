//! The container's side of `exec`: joins a container, then starts the command. setns(2), namespaces(7).
//!
//! Two processes take part. The first one joins the container, and gives up everything that the container must not
//! have. It has no pid in there, so nobody inside can find, stop or trace it. Only then does it start the second
//! process, which becomes the command. Whoever catches that one early gains nothing that they did not have:
//! CVE-2016-9962. (They do gain its end of the socket. So the host's side trusts nothing that it reads there.)
//!
//! `main` calls it in the process that [`crate::exec::waiter`] starts. It uses the same rooms as [`crate::child`].

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
use crate::{cgroup, command, namespaces};

/// Mounts come last: with them, we leave the host's /proc.
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "net", "pid", "uts", "mnt"];

/// In bytes: far more than is used before exec. What is not used costs nothing.
const STACK: usize = 256 * 1024;

// ANCHOR: main
/// Tells the waiter the command's pid, or why there is none.
pub fn main() -> Result<u8, Failure> {
    let socket = namespaces::childs_socket()?;
    match join(&socket) {
        Ok(command) => {
            let pid = command.as_raw().to_ne_bytes();
            // The command's process has the socket, too. Whoever traces it may have filled it by now, so we do not
            // wait.
            let (fd, now) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            send(fd, &pid, now).context("cannot send its pid")?;
            Ok(0)
        }
        Err(failure) => Ok(tell(&failure, &socket)),
    }
}

/// Writes the reason to the `socket`, and returns the exit code.
pub fn tell(failure: &Failure, mut socket: &UnixStream) -> u8 {
    let _ = write!(socket, "{:#}", failure.reason);
    failure.code
}

/// The order matters: first what needs the host's files, then what needs the host's privileges. Then both are gone.
fn join(socket: &UnixStream) -> Result<Pid, Failure> {
    let mut orders = Deserializer::from_reader(BufReader::new(socket));
    let container =
        Container::deserialize(&mut orders).context("cannot read the container's configuration")?;
    // Nothing in the container may be opened with the privileges that this process still has.
    dev::protect_null()?;
    dev::check_stdio()?;
    let process = container.process.as_ref().context("it has no process")?;
    let others = others(process)?;
    cgroup::enter(cgroup::doors(&container.cgroup)?)?;
    enter(others)?;

    let user = container.privileges.user()?;
    if let Some(directory) = &container.directory {
        workdir::enter(directory).map_err(|reason| Failure {
            code: NOT_EXECUTABLE,
            reason,
        })?;
    }
    container.privileges.apply(&user)?;
    // Until exec replaces it, this program's memory is nobody else's business either.
    set_dumpable(false).context("cannot disable tracing by the container")?;
    let own = &container.environment;
    let environment = environment::complete(&container.hostname, &user.home, own);
    start(socket, &container, &environment)
}
// ANCHOR_END: main

// ANCHOR: enter_namespaces
/// The namespaces of `process` that we are not in already. With --net host, for example, there is no network to enter.
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
    // If it has ended, its pid may have passed to another process, and we have opened that one's.
    match process.is_alive() {
        true => Ok(others),
        false => Err(not_running()),
    }
}

/// Enters the `namespaces`. Of these, the one for pids affects only the processes that this one starts.
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
    // An earlier day confines its containers with a chroot. Joining its mounts, we would be outside that chroot.
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
/// Starts the command in the container's PID namespace, as a child of the waiter, which has to wait for it.
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
    // Ends when the waiter knows our pid.
    let _ = socket.read(&mut [0]);
    setsid().context("cannot create a session")?;
    namespaces::tie_to_runtime(socket)?;
    command::exec(&container.command, environment)
}
// ANCHOR_END: start

pub fn not_running() -> Failure {
    Failure::ordinary(anyhow!("it is not running"))
}
