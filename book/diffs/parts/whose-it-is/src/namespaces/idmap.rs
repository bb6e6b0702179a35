//! Who the users of a rootless container are on the host: user_namespaces(7).
//!
//! Besides root, they are ids that the host has set aside for the caller: newuidmap(1), subuid(5).

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::exit;

use anyhow::{Context, Result, ensure};
use caps::CapSet;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, User, fork, getegid, geteuid};

use crate::failure::{FAILED, warn};
use crate::host::{has, program, run_with_stdin};
use crate::namespaces::{refused, tie_to_runtime, write_id_maps};
use crate::signals;

// ANCHOR: map
/// Makes the caller root in the user namespace of `child`. If the host has set ids aside for the caller, they become
/// users 1, 2, … of the container.
///
/// Without them, the container has no user except root, and a package manager that needs one fails.
pub fn map(child: Pid) -> Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    if let Some([uids, gids]) = set_aside() {
        let uids = format!("newuidmap {child} 0 {user} 1 1 {uids}");
        let gids = format!("newgidmap {child} 0 {group} 1 1 {gids}");
        // Only root may write such a map. These two programs are setuid root, and check /etc/subuid first.
        match run_with_stdin(&uids, "").and_then(|_| run_with_stdin(&gids, "")) {
            Ok(_) => return Ok(()),
            Err(error) => warn(&error.context("root is the only user in the container")),
        }
    }
    write_id_maps(child, &format!("0 {user} 1"), &format!("0 {group} 1"))
}
// ANCHOR_END: map

// ANCHOR: set_aside
/// The first user id that is set aside for us, and how many there are; and the same for groups.
pub fn set_aside() -> Option<[String; 2]> {
    let user = geteuid();
    let name = User::from_uid(user).ok()??.name;
    let in_file = |file| {
        let text = fs::read_to_string(file).ok()?;
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let (_, range) = lines.find(|(who, _)| *who == name || *who == user.to_string())?;
        Some(range.replacen(':', " ", 1))
    };
    let tools = has("newuidmap") && has("newgidmap");
    tools.then_some([in_file("/etc/subuid")?, in_file("/etc/subgid")?])
}
// ANCHOR_END: set_aside

// ANCHOR: keep_capabilities
/// In the child, before the parent has written its id maps. It is not root yet, so exec would take its capabilities
/// away, except for the ambient ones: capabilities(7).
pub fn keep_capabilities() -> Result<()> {
    let all = caps::read(None, CapSet::Permitted)?;
    caps::set(None, CapSet::Inheritable, &all)?;
    caps::set(None, CapSet::Ambient, &all).context("cannot keep capabilities")
}
// ANCHOR_END: keep_capabilities

/// Whether this process is in a user namespace, that is, whether there are users that it does not know.
pub fn is_rootless() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.split_whitespace().eq(["0", "0", "4294967295"])
}

// ANCHOR: inside
// ANCHOR: as_root
/// Runs `work` in a process of its own, which may start threads, and returns its exit code or its error. For an ordinary
/// user, that process is root in a namespace like a container's: it may give files to any of a container's users.
///
/// It dies with this process. Ctrl-C reaches both, and other signals that should end this process are passed on.
pub fn inside(work: impl FnOnce() -> Result<u8>) -> Result<u8> {
    let before = SigSet::thread_get_mask().context("cannot get the signal mask")?;
    let signals = SigSet::from_iter(FOR_WORKER);
    signals.thread_block().context("cannot block signals")?;
    let work = || {
        signals::unblock().context("cannot unblock signals")?;
        work()
    };
    let outcome = start(work).and_then(|worker| worker.wait(&signals));
    before
        .thread_set_mask()
        .context("cannot restore the signal mask")?;
    outcome
}
// ANCHOR_END: as_root

/// Those that should end the worker, and the one that reports its end.
const FOR_WORKER: [Signal; 5] = {
    use Signal::*;
    [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD]
};

/// What [`start`] has started.
struct Worker {
    pid: Pid,
    /// Where its error comes from.
    socket: UnixStream,
}

impl Worker {
    fn wait(mut self, signals: &SigSet) -> Result<u8> {
        let signals = SignalFd::with_flags(signals, SfdFlags::SFD_CLOEXEC);
        let code = signals::wait(
            self.pid,
            &signals.context("cannot create a signalfd")?,
            None,
        )?;
        let mut error = Vec::new();
        // A process that it has started may still have the other end.
        self.socket.set_nonblocking(true)?;
        let _ = self.socket.read_to_end(&mut error);
        ensure!(
            error.is_empty(),
            String::from_utf8_lossy(&error).into_owned()
        );
        let by = |signal: &Signal| code == 128 + *signal as u8;
        let expected = code < 128 || FOR_WORKER.iter().any(by);
        ensure!(
            expected,
            "signal {} has ended the process that did it",
            code - 128
        );
        Ok(code)
    }
}

// ANCHOR: start
/// Starts `work` in a process of its own, mapped like a container.
fn start(work: impl FnOnce() -> Result<u8>) -> Result<Worker> {
    let (mut socket, mut other) = UnixStream::pair().context("cannot create a socket pair")?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            drop(socket);
            let done = be_mapped(&mut other).and_then(|()| work());
            let code = done.unwrap_or_else(|error| {
                let mut text = format!("{error:#}").into_bytes();
                // It has to fit into the socket: nobody reads before this process has ended.
                text.truncate(1 << 14);
                let _ = other.write_all(&text);
                FAILED
            });
            exit(code.into())
        }
        ForkResult::Parent { child: pid } => {
            drop(other);
            if let Err(error) = map_worker(pid, &mut socket) {
                drop(socket);
                let _ = waitpid(pid, None);
                return Err(error);
            }
            Ok(Worker { pid, socket })
        }
    }
}

/// A byte says whether the worker has its namespace; another one comes back when its ids are mapped.
fn map_worker(worker: Pid, socket: &mut UnixStream) -> Result<()> {
    let mut refused = [0];
    if geteuid().is_root() || socket.read_exact(&mut refused).is_err() || refused != [0] {
        // It has ended, or will, and says why.
        return Ok(());
    }
    map(worker)?;
    let _ = socket.write_all(&[0]);
    Ok(())
}

fn be_mapped(other_end: &mut UnixStream) -> Result<()> {
    if !geteuid().is_root() {
        let unshared = unshare(CloneFlags::CLONE_NEWUSER).map_err(refused);
        other_end.write_all(&[unshared.is_err().into()])?;
        unshared.context("cannot create a user namespace")?;
        other_end.read_exact(&mut [0])?;
    }
    tie_to_runtime(other_end)
}
// ANCHOR_END: start
// ANCHOR_END: inside

// ANCHOR: remove
/// Removes `directory`, in which files may belong to a container's users. So we become root in a namespace like the
/// container's first.
pub fn remove(directory: &Path) -> Result<()> {
    if remove_all(directory).is_ok() {
        return Ok(());
    }
    let cannot = || format!("cannot remove {}", directory.display());
    ensure!(!geteuid().is_root(), cannot());
    let worker = start(|| remove_all(directory).map(|()| 0)).with_context(cannot)?;
    let ended = waitpid(worker.pid, None).context("cannot wait")?;
    ensure!(ended == WaitStatus::Exited(worker.pid, 0), cannot());
    Ok(())
}

fn remove_all(directory: &Path) -> Result<()> {
    if fs::remove_dir_all(directory).is_ok() {
        return Ok(());
    }
    // A container can nest directories deeper than the number of files that we may open. rm(1) can handle that.
    let mut rm = program("rm");
    let output = rm.arg("-rf").arg("--").arg(directory).output();
    ensure!(output.context("cannot run rm")?.status.success());
    Ok(())
}
// ANCHOR_END: remove
