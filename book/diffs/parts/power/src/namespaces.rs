//! New namespaces for the child: clone(2), namespaces(7), user_namespaces(7). For `parent`, and for `child`.

use std::convert::Infallible;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, clone};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, execve, getegid, geteuid, setpgid};

use crate::command::close_on_exec;
use crate::failure::RUNTIME_FAILED;
use crate::network::Net;

/// Where the child finds its end of the socket.
const SOCKET: RawFd = 3;

// ANCHOR: spawn_child
/// Starts this program again, as `child`, in new namespaces; `socket` becomes its [`SOCKET`].
///
/// It has none of our memory, only what the socket tells it. With `own_group`, it leads its own process group.
pub fn spawn_child(socket: UnixStream, own_group: bool, net: Net) -> Result<Pid> {
    let mut flags = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    flags |= net.namespace();
    let mut maps = Vec::new();
    if !geteuid().is_root() {
        // Only root may create the others. In their own user namespace, everybody is root.
        flags |= CloneFlags::CLONE_NEWUSER;
        maps = vec![format!("0 {} 1", geteuid()), format!("0 {} 1", getegid())];
    }
    // As vfork(2) does: until the child execs, it borrows the memory of this process, which sleeps meanwhile.
    // That saves a copy, and when clone returns, everything before exec has been done.
    flags |= CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;

    let mut failure = None;
    let start = || {
        failure = start_again(&socket, &maps, own_group).err();
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
// ANCHOR_END: spawn_child

// ANCHOR: start_again
/// Between clone and exec: system calls, and nothing that would outlive them in the parent's memory.
fn start_again(socket: &UnixStream, maps: &[String], own_group: bool) -> Result<Infallible> {
    // If the runtime is killed, so is PID 1, and with it the rest of the container.
    set_pdeathsig(Signal::SIGKILL).context("cannot set the parent-death signal")?;
    if own_group {
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).context("cannot create a process group")?;
    }
    if let [uid_map, gid_map] = maps {
        write_id_maps(uid_map, gid_map)?;
    }
    // What the caller's shell had open could still be given a path, as /proc/self/fd/9.
    close_on_exec()?;
    keep_as(SOCKET, socket).context("cannot keep the socket")?;
    let (arguments, environment) = ([c"tiny-docker", c"child"], [c""; 0]);
    execve(c"/proc/self/exe", &arguments, &environment).context("cannot run /proc/self/exe")
}
// ANCHOR_END: start_again

// ANCHOR: write_id_maps
/// Maps the caller to root inside its new user namespace.
fn write_id_maps(uid_map: &str, gid_map: &str) -> Result<()> {
    let files = [
        // The kernel insists: without this, an ordinary user may not write gid_map.
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", uid_map),
        ("/proc/self/gid_map", gid_map),
    ];
    for (file, text) in files {
        fs::write(file, text)
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
        .context("cannot make the mounts private")
}
// ANCHOR_END: make_mounts_private

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
fn refused(errno: Errno) -> anyhow::Error {
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
