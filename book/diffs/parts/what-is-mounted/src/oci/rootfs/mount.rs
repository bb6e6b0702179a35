//! One mount of config.json, from its source to its place in the container. open_tree(2), fsopen(2), move_mount(2).

pub mod plan;

use std::os::fd::BorrowedFd;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::mount::MsFlags;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{chroot, fchdir};

use crate::oci::rootfs::mount::plan::Plan;
use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing};

impl Plan {
    // ANCHOR: mount
    /// With the container's root as ours: mounts it.
    pub fn mount(mut self, host: BorrowedFd) -> Result<()> {
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
        let place = place::find(&self.target, missing)
            .with_context(|| format!("cannot create {}", self.target.display()))?;
        let tree = self.tree.take().map_or_else(|| self.filesystem(), Ok)?;
        self.options.own.apply(&tree)?;
        tree.attach(&place.fd)?;
        if place.path == Path::new("/") {
            // What comes next has to be in it.
            fchdir(&tree).and_then(|()| chroot("."))?;
        }
        Ok(())
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
