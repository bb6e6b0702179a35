//! A layer's directory while it is being filled. Every path in the archive is looked up here, name by name and inside
//! the directory, so that no link leads out of it: path_resolution(7), openat(2).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, fchown, unlinkat};

use crate::image::layer::attributes;
use crate::image::layer::beneath::{Below, Beneath, is_whiteout};
use crate::image::layer::brought::Brought;
use crate::image::layer::limits::{Count, Limits};
use crate::image::layer::open::{Dir, Open};
use crate::image::layer::path::names;

/// The kernel's own limit on links in a path.
const MOST_LINKS: usize = 40;

pub struct Tree<'a> {
    pub beneath: Beneath<'a>,
    root: Rc<Dir>,
    open: Open,
    /// Where the last look-up has led, since entries of one directory follow each other.
    last: Option<(PathBuf, Rc<Dir>)>,
    pub limits: Limits,
    pub brought: Brought,
    /// Whether the archive says what / is like.
    pub described: bool,
}

/// What to do if a directory does not exist.
#[derive(Clone, Copy, PartialEq)]
pub enum Missing {
    Fail,
    Make,
}

/// Where a name leads.
pub enum Step {
    Into(Rc<Dir>),
    Link(PathBuf),
}

impl<'a> Tree<'a> {
    /// `into` is an empty directory. As in Docker, / belongs to root, and everybody may enter it.
    pub fn new(into: &Path, blob: Count, below: &'a dyn Below) -> Result<Self> {
        let cannot = || format!("cannot open {}", into.display());
        let fd = directory(nix::fcntl::AT_FDCWD, into.as_os_str()).with_context(cannot)?;
        // The store may be in a directory with a default access control list, acl(5).
        attributes::clear(fd.as_fd());
        fchown(&fd, Some(0.into()), Some(0.into())).with_context(cannot)?;
        fchmod(&fd, Mode::from_bits_truncate(0o755)).with_context(cannot)?;
        Ok(Self {
            beneath: Beneath::new(below),
            root: Rc::new(Dir::new(fd, PathBuf::new())?),
            open: Open::default(),
            last: None,
            limits: Limits::new(blob),
            brought: Brought::default(),
            described: false,
        })
    }

    /// Everything is there.
    pub fn finish(&mut self) -> Result<()> {
        self.complete()?;
        self.forget(Path::new(""))?;
        self.root.close()
    }

    pub fn root(&self) -> Rc<Dir> {
        Rc::clone(&self.root)
    }

    // ANCHOR: directory
    /// The directory at `path`, in which links lead to places inside the image.
    pub fn directory(&mut self, path: &Path, missing: Missing) -> Result<Rc<Dir>> {
        if let Some((last, dir)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(dir));
        }
        if let Some(dir) = self.open.find(path) {
            self.last = Some((path.to_owned(), Rc::clone(&dir)));
            return Ok(dir);
        }
        let (mut here, mut links) = (self.root(), 0);
        let mut rest = names(path);
        while let Some(name) = rest.pop() {
            self.limits.look(&here.path)?;
            if name == ".." {
                here = self.above(&here)?;
                continue;
            }
            match self.step(&here, &name, missing)? {
                Step::Into(dir) => here = dir,
                Step::Link(target) => {
                    links += 1;
                    ensure!(links <= MOST_LINKS, Errno::ELOOP);
                    if target.is_absolute() {
                        here = self.root();
                    }
                    rest.extend(names(&target));
                }
            }
        }
        self.last = Some((path.to_owned(), Rc::clone(&here)));
        Ok(here)
    }

    /// One name further.
    fn step(&mut self, here: &Rc<Dir>, name: &OsStr, missing: Missing) -> Result<Step> {
        let cannot = || format!("cannot open {}", here.path.join(name).display());
        let found = match self.own(here, name) {
            Ok(dir) => Some(Step::Into(dir)),
            Err(error) => match error.downcast_ref() {
                Some(Errno::ENOENT) => self.bring_up(here, name).with_context(cannot)?,
                Some(Errno::ENOTDIR) => self.other(here, name).with_context(cannot)?,
                _ => return Err(error.context(cannot())),
            },
        };
        match found {
            Some(step) => Ok(step),
            None if missing == Missing::Make => self.make(here, name).map(Step::Into),
            None => bail!(Errno::ENOENT),
        }
    }
    // ANCHOR_END: directory

    /// `name` exists in this layer, but it is not a directory.
    fn other(&self, here: &Dir, name: &OsStr) -> Result<Option<Step>> {
        match readlinkat(here, name) {
            Ok(target) => Ok(Some(Step::Link(target.into()))),
            Err(_) if is_whiteout(&fstatat(here, name, AtFlags::AT_SYMLINK_NOFOLLOW)?) => Ok(None),
            Err(_) => bail!(Errno::ENOTDIR),
        }
    }

    /// A directory that the archive does not describe.
    fn make(&mut self, here: &Dir, name: &OsStr) -> Result<Rc<Dir>> {
        self.limits.create()?;
        let dir = self.create(here, name)?;
        // There is nothing below, or it is hidden.
        let _ = dir.parts.set(Rc::default());
        // In a directory with setgid, it has inherited that, and the group.
        let setgid = fstat(&dir)?.st_mode & 0o2000;
        fchmod(&dir, Mode::from_bits_truncate(0o755 | setgid))?;
        Ok(dir)
    }

    /// The directory `name` in `here`, which is created unless it exists. In place of something else, it begins empty.
    pub fn create(&mut self, here: &Dir, name: &OsStr) -> Result<Rc<Dir>> {
        let create = || mkdirat(here, name, Mode::from_bits_truncate(0o700));
        match create() {
            Err(Errno::EEXIST) => match self.own(here, name) {
                Err(error) if error.downcast_ref() == Some(&Errno::ENOTDIR) => {
                    self.remove(here, name)?;
                    create()?;
                    let dir = self.own(here, name)?;
                    self.cut_off(&dir, here, name)?;
                    Ok(dir)
                }
                own => own,
            },
            created => {
                created?;
                self.own(here, name)
            }
        }
    }

    /// The directory `name` in `here`, open. If something else is there, that is ENOTDIR.
    pub fn own(&mut self, here: &Dir, name: &OsStr) -> Result<Rc<Dir>> {
        let path = here.path.join(name);
        match self.open.find(&path) {
            Some(dir) => Ok(dir),
            None => self.open.keep(directory(here, name)?, path),
        }
    }

    // ANCHOR: above
    /// The directory that `here` is in. Above /, there is nothing.
    fn above(&mut self, here: &Rc<Dir>) -> Result<Rc<Dir>> {
        match here.path.parent() {
            None => Ok(Rc::clone(here)),
            Some(path) if path.as_os_str().is_empty() => Ok(self.root()),
            Some(path) => match self.open.find(path) {
                Some(dir) => Ok(dir),
                None => self
                    .open
                    .keep(directory(here, OsStr::new(".."))?, path.to_owned()),
            },
        }
    }
    // ANCHOR_END: above

    /// What is at `path`, and below it, changes: nothing of it stays open.
    pub fn forget(&mut self, path: &Path) -> Result<()> {
        self.last = None;
        self.open.close(path)
    }

    // ANCHOR: remove
    /// Does `create`, which fails if `name` exists in `here`. Then that goes, and we try again.
    pub fn replace<T>(
        &mut self,
        here: &Dir,
        name: &OsStr,
        create: impl Fn() -> nix::Result<T>,
    ) -> Result<T> {
        match create() {
            Err(Errno::EEXIST) => {
                self.remove(here, name)?;
                Ok(create()?)
            }
            created => Ok(created?),
        }
    }

    /// Removes `name` from `here`, with everything in it.
    pub fn remove(&mut self, here: &Dir, name: &OsStr) -> Result<()> {
        self.forget(&here.path.join(name))?;
        match unlinkat(here, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => {
                let mut path =
                    OsString::from(format!("/proc/self/fd/{}", here.as_fd().as_raw_fd()));
                path.push("/");
                path.push(name);
                Ok(fs::remove_dir_all(path)?)
            }
            removed => Ok(removed?),
        }
    }
    // ANCHOR_END: remove
}

// ANCHOR: opens
/// Opens the directory `name` in `here`, if it is one.
fn directory(here: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(here, name, flags, Mode::empty())
}
// ANCHOR_END: opens
