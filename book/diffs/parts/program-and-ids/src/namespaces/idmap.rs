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
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, User, fork, getegid, geteuid};

use crate::failure::warn;
use crate::host::{has, program, run_with_stdin};
use crate::namespaces::write_id_maps;

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

// ANCHOR: remove
/// Removes `directory`, in which files may belong to a container's users. So we become root in a namespace like the
/// container's first.
pub fn remove(directory: &Path) -> Result<()> {
    if remove_all(directory).is_ok() {
        return Ok(());
    }
    ensure!(
        !geteuid().is_root(),
        "cannot remove {}",
        directory.display()
    );
    let (mut socket, mut other) = UnixStream::pair().context("cannot create a socket pair")?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            drop(socket);
            let removed = be_mapped(&mut other).and_then(|()| remove_all(directory));
            exit(removed.is_err().into())
        }
        ForkResult::Parent { child } => {
            drop(other);
            let ready = socket.read_exact(&mut [0]).map_err(anyhow::Error::from);
            let mapped = ready.and_then(|()| map(child));
            if mapped.is_ok() {
                let _ = socket.write_all(&[0]);
            }
            drop(socket);
            let ended = waitpid(child, None).context("cannot wait")?;
            let gone = ended == WaitStatus::Exited(child, 0);
            ensure!(gone, "cannot remove {}", directory.display());
            mapped
        }
    }
}

/// One byte says that the namespace exists; another one comes back when its ids are mapped.
fn be_mapped(other_end: &mut UnixStream) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER)?;
    other_end.write_all(&[0])?;
    Ok(other_end.read_exact(&mut [0])?)
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
