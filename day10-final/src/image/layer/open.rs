//! Directories that stay open while a layer is being unpacked, since entries of one directory follow each other.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::sys::time::TimeSpec;

use crate::image::layer::attributes::set_time;

/// How many there are.
const MOST: usize = 64;

// ANCHOR: dir
/// An open directory. When it is closed, it gets back its time, which every change in it changes.
pub struct Dir {
    fd: OwnedFd,
    /// Without links.
    pub path: PathBuf,
    pub time: Cell<TimeSpec>,
    /// The mode with which the last file was created in it, and what came of that.
    pub created: Cell<Option<(Mode, FileStat)>>,
    /// Which layers have a part of it: see [`super::merged`].
    pub parts: OnceCell<Rc<[usize]>>,
}

impl Dir {
    pub fn new(fd: OwnedFd, path: PathBuf) -> Result<Self> {
        let now = fstat(&fd)?;
        Ok(Self {
            fd,
            path,
            time: Cell::new(TimeSpec::new(now.st_mtime, now.st_mtime_nsec)),
            created: Cell::new(None),
            parts: OnceCell::new(),
        })
    }

    pub fn close(&self) -> Result<()> {
        set_time(self.as_fd(), self.time.get())
    }
}
// ANCHOR_END: dir

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// By their paths without links, and when they were used last.
#[derive(Default)]
pub struct Open {
    dirs: HashMap<OsString, (u64, Rc<Dir>)>,
    uses: u64,
}

impl Open {
    pub fn find(&mut self, path: &Path) -> Option<Rc<Dir>> {
        let (used, dir) = self.dirs.get_mut(path.as_os_str())?;
        self.uses += 1;
        *used = self.uses;
        Some(Rc::clone(dir))
    }

    /// Keeps one open for a while. For that, another one may be closed which nobody holds.
    pub fn keep(&mut self, fd: OwnedFd, path: PathBuf) -> Result<Rc<Dir>> {
        if self.dirs.len() >= MOST {
            let held = |dir: &Rc<Dir>| Rc::strong_count(dir) > 1;
            let others = self.dirs.iter().filter(|(_, (_, dir))| !held(dir));
            let oldest = others.min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(path, _)| path.clone())
                && let Some((_, dir)) = self.dirs.remove(&oldest)
            {
                dir.close()?;
            }
        }
        let dir = Rc::new(Dir::new(fd, path.clone())?);
        self.uses += 1;
        self.dirs.insert(path.into(), (self.uses, Rc::clone(&dir)));
        Ok(dir)
    }

    /// Closes what is at `path`, and below it.
    pub fn close(&mut self, path: &Path) -> Result<()> {
        let mut gone = self
            .dirs
            .extract_if(|open, _| Path::new(open).starts_with(path));
        gone.try_for_each(|(_, (_, dir))| dir.close())
    }
}
