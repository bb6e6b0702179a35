//! A layer's directory on top of the layers below: what [`Tree`] finds there, and takes from there.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Result, bail};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, readlinkat};
use nix::sys::stat::fstatat;

use crate::image::layer::attributes::Attributes;
use crate::image::layer::beneath::{self, Found, is_directory, is_whiteout};
use crate::image::layer::copy_up;
use crate::image::layer::open::Dir;
use crate::image::layer::tree::{Step, Tree};

impl Tree<'_> {
    // ANCHOR: visible
    /// Which of the layers below have a part of the directory `dir`, from the top down.
    pub fn visible(&mut self, dir: &Dir) -> Result<Rc<[usize]>> {
        if let Some(parts) = dir.parts.get() {
            return Ok(Rc::clone(parts));
        }
        let mut parts: Rc<[usize]> = (0..self.beneath.layers()?.len()).collect();
        let mut here = self.root();
        for name in &dir.path {
            if parts.is_empty() {
                break;
            }
            self.limits.look(&here.path)?;
            here = self.own(&here, name)?;
            parts = match here.parts.get() {
                Some(known) => Rc::clone(known),
                None if self.beneath.is_opaque(here.as_fd()) => Rc::default(),
                None => match self.find(&parts, &here.path)? {
                    Found::Directory(_, parts) => parts.into(),
                    Found::Nothing | Found::Other(_) => Rc::default(),
                },
            };
            let _ = here.parts.set(Rc::clone(&parts));
        }
        let _ = dir.parts.set(Rc::clone(&parts));
        Ok(parts)
    }
    // ANCHOR_END: visible

    /// What the layers below have as `name` in `here`.
    pub fn find_below(&mut self, here: &Dir, name: &OsStr) -> Result<Found> {
        let visible = self.visible(here)?;
        self.find(&visible, &here.path.join(name))
    }

    // ANCHOR: bring_up
    /// `name` does not exist in this layer. If it is a directory below, it comes up, without what is in it.
    pub fn bring_up(&mut self, here: &Dir, name: &OsStr) -> Result<Option<Step>> {
        match self.find_below(here, name)? {
            Found::Nothing => Ok(None),
            Found::Directory(top, parts) => {
                let dir = copy_up::directory(self, &top, here, name)?;
                self.brought.insert(&dir.path)?;
                let _ = dir.parts.set(parts.into());
                Ok(Some(Step::Into(dir)))
            }
            Found::Other(other) => match readlinkat(other, "") {
                Ok(target) => Ok(Some(Step::Link(target.into()))),
                Err(_) => bail!(Errno::ENOTDIR),
            },
        }
    }
    // ANCHOR_END: bring_up

    // ANCHOR: take
    /// Makes sure that this layer has the file `name` in `here`, so that it can get another name.
    pub fn take(&mut self, here: &Dir, name: &OsStr) -> Result<()> {
        match fstatat(here, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(own) if is_directory(&own) => bail!("it is a directory"),
            Ok(own) if !is_whiteout(&own) => Ok(()),
            Err(Errno::ENOENT) => match self.find_below(here, name)? {
                Found::Nothing => bail!("it does not exist"),
                Found::Directory(..) => bail!("it is a directory"),
                Found::Other(other) => {
                    self.brought.insert(&here.path.join(name))?;
                    copy_up::other(self, other, here, name)
                }
            },
            Ok(_) => bail!("it does not exist"),
            Err(errno) => bail!(errno),
        }
    }
    // ANCHOR_END: take

    // ANCHOR: cut_off
    /// The new directory `name` in `here` is in place of something else, which has hidden what is below. It stays so.
    pub fn cut_off(&mut self, dir: &Dir, here: &Dir, name: &OsStr) -> Result<()> {
        if let Found::Directory(..) = self.find_below(here, name)? {
            self.beneath.make_opaque(dir.as_fd())?;
        }
        let _ = dir.parts.set(Rc::default());
        Ok(())
    }
    // ANCHOR_END: cut_off

    /// If the archive does not describe /, it stays as it is below. A container sees the / of its image's top layer.
    pub fn complete(&mut self) -> Result<()> {
        let [top, ..] = self.beneath.layers()? else {
            return Ok(());
        };
        if !self.described {
            let below = Attributes::of(beneath::root(top)?.as_fd())?;
            let root = self.root();
            below.set(root.as_fd())?;
            root.time.set(below.time);
        }
        Ok(())
    }

    fn find(&mut self, visible: &[usize], path: &Path) -> Result<Found> {
        for _ in visible {
            self.limits.look(path)?;
        }
        self.beneath.find(visible, path)
    }
}
