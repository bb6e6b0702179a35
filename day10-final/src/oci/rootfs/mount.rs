//! One mount of config.json, from its source to its place in the container. open_tree(2), fsopen(2), move_mount(2).

mod hosts;
mod proc;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{chroot, fchdir};
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};

use crate::oci::channel::Orders;
use crate::oci::namespaces::wanted;
use crate::oci::rootfs::attributes::{Change, RDONLY};
use crate::oci::rootfs::cgroups::Hierarchy;
use crate::oci::rootfs::mount::proc::{is_taken_in_proc, normal};
use crate::oci::rootfs::options::Options;
use crate::oci::rootfs::{cgroups, copy_up, idmap};
use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing};

/// What is made of nothing: all other filesystems are on the host's devices, or made of its directories.
const VIRTUAL: [&str; 6] = ["tmpfs", "proc", "sysfs", "mqueue", "devpts", "ramfs"];

const PATH: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

pub struct Plan {
    target: PathBuf,
    kind: String,
    source: PathBuf,
    options: Options,
    /// As of the container's other mounts.
    spread: MsFlags,
    /// A bind mount's source, once it is open.
    tree: Option<Tree>,
    /// Whose ids its files have, if not those on the disk.
    ids: Option<OwnedFd>,
    /// For a mount of cgroups.
    hierarchies: Vec<Hierarchy>,
}

impl Plan {
    /// Opens the source, as far as we may now.
    pub fn new(mount: &Mount, orders: &Orders, spread: MsFlags) -> Result<Self> {
        let options = mount.options().as_deref().unwrap_or_default();
        let mut options = Options::parse(options)?;
        let kind = mount.typ().clone().unwrap_or_default();
        if kind == "bind" && options.bind.is_none() {
            options.bind = Some(true);
        }
        let source = mount.source().clone().unwrap_or_default();
        ensure!(
            options.bind.is_none() || mount.source().is_some(),
            "source: a bind mount needs one"
        );
        let target = mount.destination();
        let target = target.strip_prefix(&orders.rootfs).unwrap_or(target);
        let mut plan = Self {
            target: Path::new("/").join(target),
            source: match options.bind {
                // A relative one is in the bundle.
                Some(_) => orders.bundle.join(source),
                None => source,
            },
            kind,
            options,
            spread,
            tree: None,
            ids: None,
            hierarchies: Vec::new(),
        };
        plan.ids = idmap::namespace(mount, &plan.options, &orders.spec)?;
        if plan.options.bind.is_some() && wanted(&orders.spec, Kind::User).is_some() {
            // Root in the new namespace may not be allowed to reach it. If it is not there yet, a mount may bring it.
            let source = open(&plan.source, PATH, Mode::empty());
            plan.tree = source.and_then(|source| plan.bind(source)).ok();
        }
        if plan.is_of_cgroups() {
            plan.hierarchies = cgroups::open_all(orders)?;
        }
        Ok(plan)
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    fn is_of_cgroups(&self) -> bool {
        self.options.bind.is_none() && ["cgroup", "cgroup2"].contains(&self.kind.as_str())
    }

    fn bind(&self, source: OwnedFd) -> nix::Result<Tree> {
        let tree = match self.options.bind {
            Some(true) => Tree::of(source)?,
            _ => Tree::of_one(source)?,
        };
        let mut spread = Change::propagation(self.spread);
        spread.recursive = true;
        spread.apply(&tree)?;
        if let Some(ids) = &self.ids {
            let recursive = self.options.idmap == Some(true);
            let change = Change {
                recursive,
                ..Change::default()
            };
            change.apply_with(tree.as_fd(), Some(ids.as_fd()))?;
        }
        Ok(tree)
    }

    /// The source of a bind mount, found from the `host`'s root: the mounts before this one may be part of it.
    fn bind_now(&mut self, host: BorrowedFd) -> Result<Tree> {
        let path = self.source.strip_prefix("/").unwrap_or(&self.source);
        let path = if path == Path::new("") {
            Path::new(".")
        } else {
            path
        };
        let how = OpenHow::new().flags(PATH);
        let source = openat2(host, path, how.resolve(ResolveFlag::RESOLVE_IN_ROOT));
        let tree = source.and_then(|source| self.bind(source));
        let earlier = self.tree.take();
        tree.or_else(|errno| earlier.ok_or(errno))
            .with_context(|| format!("source: cannot bind {}", self.source.display()))
    }

    // ANCHOR: mount
    /// With the container's root as ours: mounts it. What is returned has to become read-only later.
    pub fn mount(mut self, host: BorrowedFd) -> Result<Option<OwnedFd>> {
        if self.options.remount && self.options.bind.is_none() {
            let place = place::find(&self.target, Missing::Fail)?;
            self.options.own.apply(place.fd)?;
            return Ok(None);
        }
        let is_bind = self.options.bind.is_some();
        if is_bind {
            self.tree = Some(self.bind_now(host)?);
        }
        let missing = match &self.tree {
            Some(tree) if place::kind(tree)? != SFlag::S_IFDIR => Missing::MakeFile,
            _ => Missing::MakeDirectory,
        };
        if self.kind == "tmpfs" && !is_bind {
            self.inherit_mode();
        }
        if is_taken_in_proc(&normal(&self.target)) {
            // Nothing can be created there, but that is not the reason.
            bail!("{} is inside /proc", self.target.display());
        }
        let place = place::find(&self.target, missing)
            .with_context(|| format!("cannot create {}", self.target.display()))?;
        self.check(&place)?;
        if self.is_of_cgroups() {
            return cgroups::mount(place, &self.options, self.hierarchies);
        }
        if !is_bind && !VIRTUAL.contains(&self.kind.as_str()) {
            self.mount_from(host, &place)?;
            return Ok(None);
        }
        let tree = self.tree.take().map_or_else(|| self.filesystem(), Ok)?;
        if self.options.copy_up {
            copy_up::copy_up(&place.fd, &tree)?;
        }
        // In /dev, we still create nodes, and in / the places for other mounts.
        let mut own = self.options.own;
        let is_root = place.path == Path::new("/");
        let is_filled = is_root || !is_bind && self.kind == "tmpfs";
        let later = is_filled && own.set & RDONLY != 0;
        own.set &= if later { !RDONLY } else { !0 };
        match is_bind {
            true => own
                .apply_exactly(&tree)
                .context("cannot change its flags")?,
            false => own.apply(&tree)?,
        }
        self.options.all.apply(&tree)?;
        tree.attach(&place.fd)?;
        if is_root {
            // What comes next has to be in it.
            fchdir(&tree).and_then(|()| chroot("."))?;
        }
        for change in &self.options.propagation {
            change.apply(&tree)?;
        }
        Ok(later.then(|| tree.into()))
    }
    // ANCHOR_END: mount

    /// Without a mode of its own, a tmpfs has that of the directory below it, if there is one.
    fn inherit_mode(&mut self) {
        let below = place::find(&self.target, Missing::Fail);
        let data = &mut self.options.data;
        if let Ok(below) = below.and_then(|place| Ok(fstat(&place.fd)?))
            && !data.iter().any(|option| option.starts_with("mode="))
        {
            data.push(format!("mode={:o}", below.st_mode & 0o7777));
        }
    }

    /// A new filesystem of this type.
    fn filesystem(&self) -> Result<Tree> {
        ensure!(!self.kind.is_empty(), "type is missing");
        let (source, data) = (self.source.to_string_lossy(), self.options.data.join(","));
        Tree::from(&self.kind, &source, MsFlags::empty(), &data)
    }
}
