//! Mounts whose files belong to other ids than on the disk: uidMappings, gidMappings, idmap and ridmap.
//! mount_setattr(2), "ID-mapped mounts".

use std::fs::File;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::pause;
use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType as Kind, Mount, Spec};

use crate::oci::create::ids;
use crate::oci::namespaces::wanted;
use crate::oci::rootfs::options::Options;

/// The user namespace that says which ids they are, or None if they stay as they are.
pub fn namespace(mount: &Mount, options: &Options, spec: &Spec) -> Result<Option<OwnedFd>> {
    let given = |ids: &Option<Vec<LinuxIdMapping>>| ids.clone().unwrap_or_default();
    let (users, groups) = (given(mount.uid_mappings()), given(mount.gid_mappings()));
    match (users.is_empty(), groups.is_empty(), options.idmap) {
        (true, true, None) => return Ok(None),
        // Those of the container.
        (true, true, Some(_)) => (),
        (false, false, _) => return with(&users, &groups).map(Some),
        _ => anyhow::bail!("uidMappings and gidMappings: a mount needs both"),
    }
    match wanted(spec, Kind::User).context("idmap: the container has no user namespace")? {
        Some(path) => {
            let opened = File::open(path);
            Ok(Some(
                opened.with_context(|| path.display().to_string())?.into(),
            ))
        }
        None => {
            let linux = spec.linux().as_ref().context("linux is missing")?;
            let (users, groups) = (given(linux.uid_mappings()), given(linux.gid_mappings()));
            with(&users, &groups).map(Some)
        }
    }
}

// ANCHOR: with
/// A new user namespace with these maps. A process has to be in it until it is open.
fn with(users: &[LinuxIdMapping], groups: &[LinuxIdMapping]) -> Result<OwnedFd> {
    let mut stack = vec![0; 64 * 1024];
    let wait = || {
        pause();
        0
    };
    let flags = CloneFlags::CLONE_NEWUSER;
    // SAFETY: this process has one thread. The new one has a copy of its memory, and only sleeps.
    let child = unsafe { clone(Box::new(wait), &mut stack, flags, Some(libc::SIGCHLD)) }
        .context("cannot create a user namespace")?;
    let mapped = ids::write(child, "uid", users)
        .and_then(|()| ids::write(child, "gid", groups))
        .and_then(|()| Ok(File::open(format!("/proc/{child}/ns/user"))?));
    kill(child, Signal::SIGKILL).context("cannot end a process")?;
    let ended = waitpid(child, None);
    ensure!(ended.is_ok(), "cannot wait for a process");
    Ok(mapped.context("cannot map the ids")?.into())
}
// ANCHOR_END: with
