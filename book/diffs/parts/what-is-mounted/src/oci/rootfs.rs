//! The container's root: the mounts of config.json. pivot_root(2), mount_namespaces(7).

pub mod attributes;
pub mod mount;
pub mod options;
pub mod pivot;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, chroot, fchdir};
use oci_spec::runtime::LinuxNamespaceType as Kind;

use crate::command::workdir;
use crate::oci::channel::Orders;
use crate::oci::namespaces::wanted;
use crate::oci::rootfs::mount::plan::Plan;
use crate::oci::rootfs::pivot::{change_root, make_parent_private};
use crate::rootfs::dev;
use crate::rootfs::mounts::{self, Tree};

/// What comes from the host, opened while we still are on the host and have its power.
#[derive(Default)]
pub struct Sources {
    mounts: Vec<Plan>,
}

/// Opens it. An ordinary user may do that only later, in a mount namespace of their own.
pub fn open_sources(orders: &Orders) -> Result<Sources> {
    let spec = &orders.spec;
    if wanted(spec, Kind::Mount).is_none() {
        return Ok(Sources::default());
    }
    let propagation = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    let mounts = spec.mounts().iter().flatten().enumerate();
    let plan =
        |(n, mount)| Plan::new(mount, orders, propagation).with_context(|| format!("mounts[{n}]"));
    Ok(Sources {
        mounts: mounts.map(plan).collect::<Result<_>>()?,
    })
}

// ANCHOR: enter
/// Mounts everything, and makes it the root.
pub fn enter(orders: &Orders, sources: Sources) -> Result<()> {
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
    let root = within(root, |host| {
        for (n, plan) in sources.mounts.into_iter().enumerate() {
            let target = plan.target().display().to_string();
            plan.mount(host)
                .with_context(|| format!("mounts[{n}] ({target})"))?;
        }
        Ok(())
    })?;
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

/// Does the `work` with `root` as the root directory, so that no link leads out of it. Then steps back.
/// Returns the root that it had in the end: a mount may have covered it.
fn within(root: OwnedFd, work: impl FnOnce(BorrowedFd) -> Result<()>) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let hosts = open("/", flags, Mode::empty()).context("cannot open /")?;
    umask(Mode::empty());
    fchdir(root).context("cannot enter the root filesystem")?;
    chroot(".").context("cannot enter the root filesystem")?;
    work(hosts.as_fd())?;
    let root = open("/", flags, Mode::empty()).context("cannot open /")?;
    fchdir(hosts).context("cannot return to the host's root")?;
    chroot(".").context("cannot return to the host's root")?;
    Ok(root)
}
// ANCHOR_END: enter
