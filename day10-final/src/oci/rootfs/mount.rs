//! One mount of config.json, from its source to its place in the container. open_tree(2), fsopen(2), move_mount(2).

mod hosts;
pub mod plan;
mod proc;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::mount::MsFlags;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{chroot, fchdir};

use crate::oci::rootfs::attributes::RDONLY;
use crate::oci::rootfs::mount::plan::Plan;
use crate::oci::rootfs::mount::proc::{is_taken_in_proc, normal};
use crate::oci::rootfs::{cgroups, copy_up};
use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing};

/// What is made of nothing: all other filesystems are on the host's devices, or made of its directories.
const VIRTUAL: [&str; 6] = ["tmpfs", "proc", "sysfs", "mqueue", "devpts", "ramfs"];

impl Plan {
    // ANCHOR: mount
    /// With the container's root as ours: mounts it. What is returned has to become read-only later.
    pub fn mount(mut self, host: BorrowedFd) -> Result<Option<OwnedFd>> {
        if self.options.remount {
            let place = place::find(&self.target, Missing::Fail)?;
            ensure!(
                self.options.data.is_empty(),
                "options: a remount of a filesystem with {:?} is not supported",
                self.options.data.join(",")
            );
            match self.options.bind {
                Some(_) => self.options.own.apply_exactly(place.fd)?,
                None => self.options.own.apply(place.fd)?,
            }
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
