//! The container's own `/`: chroot(2), pivot_root(2), mount(2), proc(5).

pub mod default;
pub mod dev;
pub mod etc;
pub mod layer;
pub mod marks;
pub mod masks;
pub mod mounts;
pub mod place;
pub mod tmpfs;
pub mod volume;

use std::os::fd::AsFd;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, fchdir, pivot_root};

use crate::command::workdir;
use crate::container::Container;
use crate::namespaces::idmap::is_rootless;
use crate::rootfs::mounts::{DATA, Tree, restrict};

/// A user namespace may only mount a /proc where it can see one that hides nothing: mount_namespaces(7).
const COVERED_HINT: &str =
    "hint: if this is a container, start it with --security-opt systempaths=unconfined as well";

// ANCHOR: enter
/// Makes the container's rootfs the root of this process's mounts.
pub fn enter(container: &Container) -> Result<()> {
    let rootfs = &container.rootfs;
    let (layer, rootless) = (&container.layer, is_rootless());
    // First, everything that comes from the host, and what the kernel creates only while the host's own is visible. It
    // is open and has its flags, but no place yet. Volumes come first: a volume of the host's / must not contain the
    // layer.
    let mut volumes = container.volumes.open()?;
    if container.image.is_some() {
        layer::adopt(rootfs, layer)?;
    }
    layer::mount(&container.lower(), layer, rootless)?;
    // Before `etc` covers /dev for a moment: the state directory may be in /dev/shm.
    let root = mounts::directory(layer)?;
    let proc = new_proc().context("cannot mount /proc")?;
    let (sys, dev, etc) = (masks::new_sys()?, dev::open_hosts()?, etc::open(container)?);

    change_root(root)?;
    // From here on, no path and no link leads to the host.
    let place = place::directory("proc", rootfs)?;
    proc.attach(place).context("cannot mount /proc")?;
    masks::mount_sys(&sys, rootfs)?;
    dev::mount(&dev, rootfs, rootless)?;
    masks::cover(dev.null())?;
    volumes.add(&container.volumes.own)?;
    let places = volumes.mount()?;
    etc::mount(&etc, &places)?;

    if let Some(directory) = &container.directory {
        workdir::create(directory)?;
    }
    if container.volumes.read_only {
        let root = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        restrict(root, MsFlags::MS_RDONLY).context("cannot make / read-only")?;
    }
    Ok(())
}

/// chroot(2) is not a wall. pivot_root(2) gives the mount namespace itself another root, and leaves no host mount to
/// which a path or a descriptor could lead.
fn change_root(new: impl AsFd) -> Result<()> {
    fchdir(new).context("cannot enter the new root directory")?;
    pivot_root(".", ".").context("cannot pivot to the new root directory")?;
    umount2(".", MntFlags::MNT_DETACH).context("cannot detach the host's mounts")?;
    chdir("/").context("cannot enter the new root directory")
}
// ANCHOR_END: enter

// ANCHOR: new_proc
/// A new /proc. It shows the processes of our PID namespace, which is the container's.
pub fn new_proc() -> Result<Tree> {
    Tree::new("proc", DATA, "").map_err(|error| match error.downcast_ref() {
        Some(errno @ Errno::EPERM) => {
            anyhow!("{errno}: parts of the host's /proc are masked\n{COVERED_HINT}")
        }
        _ => error,
    })
}
// ANCHOR_END: new_proc
