//! A mount of the type cgroup: what the container sees of its own cgroups. cgroups(7), cgroup_namespaces(7).

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::symlinkat;
use oci_spec::runtime::LinuxNamespaceType as Kind;

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::hierarchy::mounted;
use crate::oci::channel::Orders;
use crate::oci::namespaces::wanted;
use crate::oci::rootfs::attributes::RDONLY;
use crate::oci::rootfs::options::Options;
use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing, Place};

/// One hierarchy: its controllers ("" is v2) and, without a cgroup namespace, the container's group on the host.
pub struct Hierarchy {
    controllers: String,
    group: Option<Tree>,
}

// ANCHOR: open_all
/// On the host: opens what the container's mount will show. In a cgroup namespace, it will be a mount of its own.
pub fn open_all(orders: &Orders) -> Result<Vec<Hierarchy>> {
    let own = wanted(&orders.spec, Kind::Cgroup).is_some();
    let mut all = Vec::new();
    for (controllers, path) in shown(&orders.groups)? {
        let opened = if own {
            Ok(None)
        } else {
            group(&path).map(Some)
        };
        let group = match opened {
            // Outside of a namespace of their own, an ordinary user may not: then there is nothing to see.
            Err(Errno::EPERM) if orders.groups.paths.is_empty() => continue,
            group => group.with_context(|| format!("cannot open {}", path.display()))?,
        };
        all.push(Hierarchy { controllers, group });
    }
    Ok(all)
}

/// The container's groups, each with the controllers that its hierarchy is mounted with. Where an ordinary user may not
/// create any, the container stays in our own.
fn shown(groups: &Groups) -> Result<Vec<(String, PathBuf)>> {
    let mut shown: Vec<(String, PathBuf)> = Vec::new();
    for hierarchy in mounted()? {
        let planned = groups.paths.get(&hierarchy.name);
        let path = planned.unwrap_or(&hierarchy.own);
        // Our own may be outside what this mount shows: a cgroup namespace that we have been moved out of.
        if planned.is_none() && !path.is_dir() {
            continue;
        }
        // Controllers that share a hierarchy share its directory: cpu,cpuacct.
        match shown.iter_mut().find(|(_, other)| other == path) {
            Some((controllers, _)) => *controllers += &format!(",{}", hierarchy.name),
            None => shown.push((hierarchy.name, path.clone())),
        }
    }
    Ok(shown)
}
// ANCHOR_END: open_all

fn group(path: &Path) -> nix::Result<Tree> {
    open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).and_then(Tree::of)
}

impl Hierarchy {
    fn mount(self) -> Result<Tree> {
        let kind = match self.controllers.is_empty() {
            true => "cgroup2",
            false => "cgroup",
        };
        let new = || Tree::from(kind, "cgroup", MsFlags::empty(), &self.controllers);
        self.group.map_or_else(new, Ok)
    }

    /// Version 2 alone. Without a namespace of its own, a container sees all of the hierarchy: its path in /proc/PID/cgroup
    /// begins there. In a user namespace, nobody may mount that one. Then it sees its own group.
    fn mount_unified(self) -> Result<Tree> {
        let whole = Tree::from("cgroup2", "cgroup", MsFlags::empty(), "");
        whole.or_else(|error| self.group.ok_or(error))
    }

    /// The name of its directory, as on the host.
    fn name(&self) -> String {
        match self.controllers.as_str() {
            "" => "unified".to_owned(),
            name => name.strip_prefix("name=").unwrap_or(name).to_owned(),
        }
    }
}

// ANCHOR: mount
/// Mounts them at `place`: with v2, the one hierarchy; with v1, a tmpfs with a directory for each. What is returned has to
/// become read-only later: podman may ask for another mount in it.
pub fn mount(place: Place, options: &Options, mut all: Vec<Hierarchy>) -> Result<Option<OwnedFd>> {
    if all.len() == 1 && all[0].controllers.is_empty() {
        let tree = all.remove(0).mount_unified()?;
        options.own.apply(&tree)?;
        tree.attach(place.fd).context("cannot mount the cgroups")?;
        return Ok(None);
    }
    let tmpfs = Tree::new("tmpfs", MsFlags::empty(), "mode=755")?;
    let mut writable = options.own;
    writable.set &= !RDONLY;
    writable.apply(&tmpfs)?;
    tmpfs.attach(place.fd)?;
    for hierarchy in all {
        let name = hierarchy.name();
        mkdirat(&tmpfs, name.as_str(), Mode::from_bits_truncate(0o755))?;
        let tree = hierarchy.mount()?;
        options.own.apply(&tree)?;
        let at = place::step(tmpfs.as_fd(), name.as_ref(), Missing::Fail)?;
        tree.attach(at)
            .with_context(|| format!("cannot mount the cgroups of {name}"))?;
        for each in name.split(',').filter(|each| *each != name) {
            symlinkat(name.as_str(), &tmpfs, each)?;
        }
    }
    let read_only = options.own.set & RDONLY != 0;
    Ok(read_only.then(|| tmpfs.into()))
}
// ANCHOR_END: mount
