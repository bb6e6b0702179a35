//! The container's root. pivot_root(2), mount_namespaces(7).

pub mod pivot;

use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, chroot};
use oci_spec::runtime::LinuxNamespaceType as Kind;

use crate::command::workdir;
use crate::oci::channel::Orders;
use crate::oci::namespaces::wanted;
use crate::oci::rootfs::pivot::{change_root, make_parent_private};
use crate::rootfs::dev;
use crate::rootfs::mounts::{self, Tree};

// ANCHOR: enter
/// Makes the root filesystem the root.
pub fn enter(orders: &Orders) -> Result<()> {
    let (spec, rootfs) = (&orders.spec, &orders.rootfs);
    if wanted(spec, Kind::Mount).is_none() {
        // Without mounts of its own, a container can only have another directory as its root.
        change_directory(rootfs)?;
        return Ok(());
    }
    let spread = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, spread, nothing).context("cannot change how mounts spread")?;
    // First: a copy spreads as its original does, and pivot_root(2) refuses a shared root, too.
    make_parent_private(rootfs)?;
    let tree = Tree::of(mounts::directory(rootfs)?)?;
    tree.attach(mounts::directory(rootfs)?)
        .context("cannot bind mount the root filesystem on itself")?;
    let root = mounts::directory(rootfs)?;
    change_root(root)?;
    umask(Mode::from_bits_truncate(0o022));
    if let Some(process) = spec.process()
        && let Ok(false) = process.cwd().try_exists()
    {
        // As runc. Later, the root may be read-only. (Where we may not even look, the user may.)
        workdir::create(process.cwd()).context("process.cwd")?;
    }
    Ok(())
}

/// For a container that shares the host's mounts, this is all that it has of its own.
fn change_directory(rootfs: &Path) -> Result<()> {
    // Before: its /dev/null is an ordinary file, if it is there at all.
    dev::check_stdio()?;
    chroot(rootfs).context("cannot change the root directory")?;
    chdir("/").context("cannot enter the new root directory")
}

// ANCHOR_END: enter
