//! What `process` says: who the command is, what it may do, and where it begins. credentials(7), capabilities(7).

pub mod affinity;
pub mod capabilities;
pub mod command;
pub mod label;
pub mod nodes;
pub mod scheduling;

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::prctl::{set_keepcaps, set_no_new_privs};
use nix::sys::stat::{Mode, SFlag, fstat, major, minor, umask};
use nix::unistd::{Gid, Uid, fchown, setgroups, setresgid, setresuid};
use oci_spec::runtime::{LinuxNamespaceType as Kind, Process, Spec};

use crate::command::workdir;
use crate::oci::channel::News;
use crate::oci::namespaces::wanted;
use crate::oci::seccomp;
use crate::rootfs::dev;

// ANCHOR: limit
/// Leaves this process with what its configuration grants. The order matters: each step needs what a later one takes
/// away.
pub fn limit(
    process: &Process,
    spec: &Spec,
    mut tell: impl FnMut(News) -> Result<()>,
) -> Result<()> {
    if wanted(spec, Kind::Mount).is_some() {
        dev::check_stdio()?;
    }
    own_stdio(process.user().uid());
    scheduling::apply(process, spec)?;
    nodes::apply(spec)?;
    label::apply(process)?;
    // What root may open is not always what the user may, and the reverse.
    let entered = workdir::enter(process.cwd());
    if process.no_new_privileges() != Some(true) {
        // Without no_new_privs, loading a filter takes CAP_SYS_ADMIN. We still have it.
        load_filter(spec, &mut tell)?;
    }
    capabilities::bound(process)?;
    tell(News::Limits)?;
    become_user(process)?;
    if entered.is_err() {
        workdir::enter(process.cwd()).context("chdir to process.cwd")?;
    }
    capabilities::apply(process, &mut tell)?;
    if process.no_new_privileges() == Some(true) {
        set_no_new_privs().context("process.noNewPrivileges")?;
    }
    Ok(())
}
// ANCHOR_END: limit

/// With no_new_privs, the filter comes last: less has to pass through it.
pub fn filter(process: &Process, spec: &Spec, tell: impl FnMut(News) -> Result<()>) -> Result<()> {
    match process.no_new_privileges() {
        Some(true) => load_filter(spec, tell),
        _ => Ok(()),
    }
}

/// Lets the user open /dev/stdout again, which is possible for its owner only. A file stays its owner's: it is not only
/// for this container.
fn own_stdio(uid: u32) {
    for fd in 0..=2 {
        // SAFETY: used only here, and only while it is open. If it is not open, fstat fails.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let Ok(there) = fstat(fd) else { continue };
        let kind = SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT;
        let null = (major(there.st_rdev), minor(there.st_rdev)) == (1, 3);
        if there.st_uid != uid && !null && kind != SFlag::S_IFREG {
            let _ = fchown(fd, Some(Uid::from_raw(uid)), None);
        }
    }
}

fn load_filter(spec: &Spec, mut tell: impl FnMut(News) -> Result<()>) -> Result<()> {
    let Some(profile) = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.seccomp().as_ref())
    else {
        return Ok(());
    };
    let flags = seccomp::flags(profile);
    tell(News::Noted(format!("seccomp filter flags: {flags}")))?;
    match seccomp::load(profile)? {
        Some(listener) => tell(News::Listening(listener.as_raw_fd())),
        None => Ok(()),
    }
}

// ANCHOR: become_user
fn become_user(process: &Process) -> Result<()> {
    let user = process.user();
    set_keepcaps(true).context("cannot keep capabilities")?;
    let groups = user.additional_gids().iter().flatten();
    let groups: BTreeSet<_> = groups.copied().collect();
    let groups: Vec<_> = groups.into_iter().map(Gid::from_raw).collect();
    match setgroups(&groups) {
        // An ordinary user's own id is the only one there: see setgroups in user_namespaces(7).
        Err(Errno::EPERM) if groups.is_empty() => (),
        changed => changed.context("process.user.additionalGids: cannot change the groups")?,
    }
    let (uid, gid) = (Uid::from_raw(user.uid()), Gid::from_raw(user.gid()));
    setresgid(gid, gid, gid).with_context(|| format!("process.user.gid: cannot become {gid}"))?;
    setresuid(uid, uid, uid).with_context(|| format!("process.user.uid: cannot become {uid}"))?;
    let mask = user.umask().unwrap_or(0o022);
    umask(Mode::from_bits_truncate(mask));
    Ok(())
}
// ANCHOR_END: become_user
