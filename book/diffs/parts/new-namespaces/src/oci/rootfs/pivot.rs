//! From the host's root to the container's: pivot_root(2).

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, fchdir, pivot_root};

// ANCHOR: make_parent_private
/// pivot_root(2) refuses a root whose parent mount would spread what it does. To find that mount, we try each directory,
/// from the root filesystem up.
pub fn make_parent_private(rootfs: &Path) -> Result<()> {
    let nothing = None::<&str>;
    for directory in rootfs.ancestors() {
        match mount(nothing, directory, nothing, MsFlags::MS_PRIVATE, nothing) {
            // Nothing is mounted here.
            Err(Errno::EINVAL) => (),
            made => return made.context("cannot make the root filesystem's mount private"),
        }
    }
    Ok(())
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
