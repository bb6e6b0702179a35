//! From the host's root to the container's: pivot_root(2), proc_pid_mountinfo(5).

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, fchdir, pivot_root};

// ANCHOR: make_parent_private
/// pivot_root(2) refuses a root whose parent mount would spread what it does.
pub fn make_parent_private(rootfs: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot list the mounts")?;
    let mut parent = ("/", false);
    for line in mounts.lines() {
        let (fields, _) = line.split_once(" - ").unwrap_or_default();
        let fields: Vec<_> = fields.split(' ').collect();
        let path = fields.get(4).copied().unwrap_or_default();
        // Of several mounts at one place, the last one is on top.
        if rootfs.starts_with(path) && path.len() >= parent.0.len() {
            parent = (
                path,
                fields[6..].iter().any(|field| field.starts_with("shared:")),
            );
        }
    }
    let (path, is_shared) = parent;
    let nothing = None::<&str>;
    match is_shared {
        true => mount(nothing, path, nothing, MsFlags::MS_PRIVATE, nothing)
            .context("cannot make the root filesystem's mount private"),
        false => Ok(()),
    }
}
// ANCHOR_END: make_parent_private

// ANCHOR: change_root
/// Leaves the host's root for this one.
pub fn change_root(root: OwnedFd) -> Result<()> {
    let nothing = None::<&str>;
    fchdir(&root).context("cannot enter the new root directory")?;
    let old = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    pivot_root(".", ".").context("cannot pivot to the new root directory")?;
    fchdir(old)?;
    // The end of these mounts must not spread to the host.
    let slave = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(nothing, ".", nothing, slave, nothing).context("cannot detach the host's mounts")?;
    umount2(".", MntFlags::MNT_DETACH).context("cannot detach the host's mounts")?;
    chdir("/").context("cannot enter the new root directory")
}
// ANCHOR_END: change_root
