//! The container's root: the mounts, devices and masks of config.json. pivot_root(2), mount_namespaces(7).

pub mod attributes;
pub mod cgroups;
pub mod copy_up;
pub mod devices;
pub mod finish;
pub mod idmap;
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
use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};

use crate::command::workdir;
use crate::oci::channel::Orders;
use crate::oci::hooks;
use crate::oci::namespaces::wanted;
use crate::oci::rootfs::devices::Nodes;
use crate::oci::rootfs::mount::plan::Plan;
use crate::oci::rootfs::pivot::{change_root, make_parent_private};
use crate::rootfs::dev;
use crate::rootfs::mounts::{self, Tree};

/// What comes from the host, opened while we still are on the host and have its power.
#[derive(Default)]
pub struct Sources {
    mounts: Vec<Plan>,
    nodes: Nodes,
}

/// What [`finish::finish`] needs of it.
#[derive(Default)]
pub struct Entered {
    nodes: Nodes,
    /// Mounts that become read-only when nothing has to be created in them any more.
    read_only: Vec<OwnedFd>,
}

/// Opens it. An ordinary user may do that only later, in a mount namespace of their own.
pub fn open_sources(orders: &Orders) -> Result<Sources> {
    let spec = &orders.spec;
    if wanted(spec, Kind::Mount).is_none() {
        return Ok(Sources::default());
    }
    let propagation = propagation(spec)?;
    let mounts = spec.mounts().iter().flatten().enumerate();
    let plan =
        |(n, mount)| Plan::new(mount, orders, propagation).with_context(|| format!("mounts[{n}]"));
    Ok(Sources {
        mounts: mounts.map(plan).collect::<Result<_>>()?,
        nodes: Nodes::open(spec)?,
    })
}

/// How mounts spread between the host and the container: linux.rootfsPropagation. By default, from the host only.
fn propagation(spec: &Spec) -> Result<MsFlags> {
    let named = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.rootfs_propagation().as_deref());
    match named.filter(|name| !name.is_empty()) {
        None => Ok(MsFlags::MS_SLAVE | MsFlags::MS_REC),
        Some(name) => options::propagation(name)
            .with_context(|| format!("linux.rootfsPropagation: unknown value {name:?}")),
    }
}

// ANCHOR: enter
/// Mounts everything, tells the runtime, and makes it the root.
pub fn enter(
    orders: &Orders,
    mut sources: Sources,
    mounted: impl FnOnce() -> Result<()>,
) -> Result<Entered> {
    let (spec, rootfs) = (&orders.spec, &orders.rootfs);
    if wanted(spec, Kind::Mount).is_none() {
        // Without mounts of its own, a container can only have another directory as its root.
        mounted()?;
        hooks::create_container(orders)?;
        change_directory(rootfs)?;
        return Ok(Entered::default());
    }
    let spread = propagation(spec)?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, spread, nothing).context("cannot change how mounts spread")?;
    // First: a copy spreads as its original does, and pivot_root(2) refuses a shared root, too.
    make_parent_private(rootfs)?;
    let tree = Tree::of(mounts::directory(rootfs)?)?;
    tree.attach(mounts::directory(rootfs)?)
        .context("cannot bind mount the root filesystem on itself")?;
    let root = mounts::directory(rootfs)?;
    sources.nodes.open_late()?;
    // What has to be writable now, and read-only later.
    let mut read_only = Vec::new();
    let root = within(root, |host| {
        for (n, plan) in sources.mounts.into_iter().enumerate() {
            let target = plan.target().display().to_string();
            read_only.extend(
                plan.mount(host)
                    .with_context(|| format!("mounts[{n}] ({target})"))?,
            );
        }
        devices::create(spec, &sources.nodes)
    })?;
    mounted()?;
    // Where these hooks are used to begin.
    chdir(rootfs).context("cannot enter the root filesystem")?;
    hooks::create_container(orders)?;
    change_root(root, orders.no_pivot)?;
    // The root was another one when this was said of "/". The mounts below have their own options.
    let spread = spread - MsFlags::MS_REC;
    mount(nothing, "/", nothing, spread, nothing).context("linux.rootfsPropagation")?;
    umask(Mode::from_bits_truncate(0o022));
    if let Some(process) = spec.process()
        && let Ok(false) = process.cwd().try_exists()
    {
        // As runc. Later, the root may be read-only. (Where we may not even look, the user may.)
        workdir::create(process.cwd()).context("process.cwd")?;
    }
    let nodes = sources.nodes;
    Ok(Entered { nodes, read_only })
}

/// For a container that shares the host's mounts, this is all that it has of its own.
pub fn change_directory(rootfs: &Path) -> Result<()> {
    // Before: its /dev/null is an ordinary file, if it is there at all.
    dev::check_stdio()?;
    chroot(rootfs).context("cannot change the root directory")?;
    chdir("/").context("cannot enter the new root directory")
}

/// Does the `work` with `root` as the root directory, so that no link leads out of it. Then steps back, for the hooks.
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
