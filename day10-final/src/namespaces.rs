//! New namespaces for the child: clone(2), namespaces(7), user_namespaces(7). For `parent`, and for `child`.

pub mod binary;
pub mod idmap;

use std::convert::Infallible;
use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, clone, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{
    Gid, Pid, Uid, execveat, geteuid, setgroups, setpgid, setresgid, setresuid, setsid,
};

use crate::command::close_on_exec;
use crate::failure::RUNTIME_FAILED;
use crate::network::Net;
use crate::privileges;
use crate::state::process::Process;

/// Where the child finds its end of the socket.
const SOCKET: RawFd = 3;

// ANCHOR: spawn_child
/// Starts this program again, as `child`, in new namespaces; `socket` becomes its [`SOCKET`].
///
/// It has none of our memory, only what the socket tells it. It leads a session of its own or, with `own_group`, only
/// a process group.
pub fn spawn_child(socket: UnixStream, own_group: bool, net: Net) -> Result<Pid> {
    let mut flags = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    flags |= CloneFlags::CLONE_NEWIPC | net.namespace();
    let rootless = !geteuid().is_root();
    if rootless {
        // Only root may create the others. In their own user namespace, everybody is root.
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    spawn(flags, || {
        if own_group {
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).context("cannot create a process group")?;
        } else {
            // In the caller's group, a `kill 0` inside would reach the caller. In its session, /dev/tty would.
            setsid().context("cannot create a session")?;
        }
        if rootless {
            idmap::keep_capabilities()?;
        }
        start_again(c"child", &socket)
    })
}
// ANCHOR_END: spawn_child

// ANCHOR: spawn_guest
/// The same for another command in the container whose PID 1 is `host`. So far its only namespace is one for its
/// mounts, see [`binary::protected`]. An ordinary user may create that one only where they are root, and root itself
/// must be no more than the container's root.
pub fn spawn_guest(socket: UnixStream, host: &Process) -> Result<Pid> {
    let [ours, its] = ["self", &host.pid.to_string()].map(|pid| format!("/proc/{pid}/ns/user"));
    spawn(CloneFlags::empty(), || {
        // A file in the container may be a link to /dev/tty. That must not be the caller's terminal.
        setsid().context("cannot create a session")?;
        let user = File::open(&its).context("cannot open its user namespace")?;
        ensure!(host.is_alive(), "it is not running");
        if fs::read_link(&ours)? != fs::read_link(&its)? {
            become_root_of(user)?;
        }
        unshare(CloneFlags::CLONE_NEWNS).context("cannot create a mount namespace")?;
        start_again(c"guest", &socket)
    })
}
// ANCHOR_END: spawn_guest

// ANCHOR: become_root_of
/// Joins a user namespace, as its root and nobody else.
///
/// From the next exec on, this process belongs to the owner of that namespace, who may trace it and use whatever it
/// has: ptrace(2). So if the caller is the host's root, none of its power may be left by then.
fn become_root_of(user_namespace: File) -> Result<()> {
    if geteuid().is_root() {
        // Now, since inside the namespace it may be forbidden: user_namespaces(7).
        setgroups(&[]).context("cannot leave the caller's groups")?;
        privileges::forget_keys();
    }
    setns(user_namespace, CloneFlags::CLONE_NEWUSER).context("cannot join its user namespace")?;
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(gid, gid, gid).context("cannot become its root group")?;
    setresuid(uid, uid, uid).context("cannot become its root")?;
    idmap::keep_capabilities()
}
// ANCHOR_END: become_root_of

// ANCHOR: spawn
/// A child in new namespaces, by `flags`, which does nothing but to `start` this program again.
pub fn spawn(flags: CloneFlags, start: impl Fn() -> Result<Infallible>) -> Result<Pid> {
    // As vfork(2): until the child execs, it borrows the memory of this process, which sleeps meanwhile.
    // That saves a copy, and when clone returns, all that comes before exec is done.
    let flags = flags | CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    let mut failure = None;
    let start = || {
        failure = start().err();
        isize::from(RUNTIME_FAILED)
    };
    // Far more than is used between clone and exec. What is not used costs nothing.
    let mut stack = vec![0; 256 * 1024];
    // SAFETY: this process has one thread, which sleeps while `start` runs on its own stack. Both use the same memory
    // and allocator, so what `start` leaves behind, an error, belongs to this process afterwards.
    let child = unsafe { clone(Box::new(start), &mut stack, flags, Some(libc::SIGCHLD)) }
        .map_err(refused)
        .context("cannot create namespaces")?;
    failure.map_or(Ok(child), Err)
}
// ANCHOR_END: spawn

// ANCHOR: start_again
/// Between clone and exec: system calls, and nothing that would outlive them in the parent's memory.
fn start_again(role: &CStr, socket: &UnixStream) -> Result<Infallible> {
    // If the runtime is killed, so is PID 1, and with it the rest of the container.
    set_pdeathsig(Signal::SIGKILL).context("cannot set the parent-death signal")?;
    make_mounts_private()?;
    let program = binary::protected()?;
    // What the caller's shell had open could still be given a path, as /proc/self/fd/9.
    close_on_exec()?;
    keep_as(SOCKET, socket).context("cannot keep the socket")?;
    let (arguments, environment) = ([c"tiny-docker", role], [c""; 0]);
    let itself = AtFlags::AT_EMPTY_PATH;
    execveat(program, c"", &arguments, &environment, itself)
        .context("cannot re-execute this program")
}
// ANCHOR_END: start_again

// ANCHOR: write_id_maps
/// Maps the caller to root inside the new user namespace of `child`.
fn write_id_maps(child: Pid, uid_map: &str, gid_map: &str) -> Result<()> {
    let files = [
        // The kernel insists: without this, an ordinary user may not write gid_map.
        ("setgroups", "deny"),
        ("uid_map", uid_map),
        ("gid_map", gid_map),
    ];
    for (file, text) in files {
        fs::write(format!("/proc/{child}/{file}"), text)
            .map_err(|error| refused(Errno::try_from(error).unwrap_or(Errno::EIO)))
            .with_context(|| format!("cannot write {text} to {file}"))?;
    }
    Ok(())
}
// ANCHOR_END: write_id_maps

/// Keeps `socket` open across the next exec, as descriptor `fd`.
fn keep_as(fd: RawFd, socket: &UnixStream) -> nix::Result<RawFd> {
    if socket.as_raw_fd() == fd {
        // SAFETY: fcntl(2) clears a flag of an open descriptor.
        return Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) });
    }
    // SAFETY: dup2(2); whatever `fd` was, this process no longer needs it.
    Errno::result(unsafe { libc::dup2(socket.as_raw_fd(), fd) })
}

/// In the child: the socket that [`spawn_child`] left open for it.
pub fn childs_socket() -> Result<UnixStream> {
    // SAFETY: fcntl(2) sets a flag of a descriptor that nothing else in this process owns.
    Errno::result(unsafe { libc::fcntl(SOCKET, libc::F_SETFD, libc::FD_CLOEXEC) })
        .context("cannot run as a child: only `run` starts one")?;
    // SAFETY: open, as fcntl has shown, and owned by nobody else.
    Ok(unsafe { UnixStream::from_raw_fd(SOCKET) })
}

// ANCHOR: make_mounts_private
/// Cuts the mounts off from the host's: mount_namespaces(7).
///
/// A new mount namespace is a copy, but on most hosts, what is mounted in it still spreads to the original.
pub fn make_mounts_private() -> Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(refused)
        .context("cannot make the mounts private")
}
// ANCHOR_END: make_mounts_private

/// Lets the container see its cgroup as the highest: cgroup_namespaces(7). Only now, when this process is in it.
pub fn hide_cgroups() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWCGROUP).context("cannot create a cgroup namespace")
}

// ANCHOR: tie_to_runtime
/// Has the kernel kill the container if its runtime dies: PR_SET_PDEATHSIG(2const). A change of user has undone that.
pub fn tie_to_runtime(socket: &UnixStream) -> Result<()> {
    set_pdeathsig(Signal::SIGKILL).context("cannot set the parent-death signal")?;
    // It may have been killed meanwhile. Then nobody has the socket's other end open.
    let mut other_end = [PollFd::new(socket.as_fd(), PollFlags::empty())];
    poll(&mut other_end, PollTimeout::ZERO).context("cannot check whether the runtime is alive")?;
    let gone = other_end[0]
        .revents()
        .is_some_and(|events| events.contains(PollFlags::POLLHUP));
    ensure!(!gone, "the runtime was killed");
    Ok(())
}

/// Lets the container outlive its runtime again.
pub fn untie_from_runtime() -> Result<()> {
    set_pdeathsig(None).context("cannot clear the parent-death signal")
}
// ANCHOR_END: tie_to_runtime

/// The kernel does not let us have a namespace: `errno`, and what to do about it.
pub fn refused(errno: Errno) -> anyhow::Error {
    let setting = |name| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let hint = if setting("apparmor_restrict_unprivileged_userns") == "1\n" {
        // Ubuntu, since 23.10.
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    } else if setting("unprivileged_userns_clone") == "0\n" {
        // Debian, until 10.
        "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    } else if errno == Errno::ENOSPC {
        "sudo sysctl -w user.max_user_namespaces=15000"
    } else {
        // Without CAP_SYS_ADMIN, Docker's system call filter forbids namespaces, and its AppArmor profile mounts.
        "if this is a container, start it with -u 1000 --security-opt seccomp=unconfined \
            --security-opt apparmor=unconfined"
    };
    anyhow!("{errno}\nhint: {hint}")
}
