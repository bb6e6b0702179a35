//! Directories that stay open while a layer is being unpacked, since entries of one directory follow each other.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;

/// How many there are.
const MOST: usize = 64;

/// An open directory.
pub struct Dir {
    fd: OwnedFd,
    /// Without links.
    pub path: PathBuf,
}

impl Dir {
    pub fn new(fd: OwnedFd, path: PathBuf) -> Result<Self> {
        Ok(Self { fd, path })
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
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                self.dirs.remove(&oldest);
            }
        }
        let dir = Rc::new(Dir::new(fd, path.clone())?);
        self.uses += 1;
        self.dirs.insert(path.into(), (self.uses, Rc::clone(&dir)));
        Ok(dir)
    }

    /// Closes what is at `path`, and below it.
    pub fn close(&mut self, path: &Path) -> Result<()> {
        self.dirs
            .retain(|open, _| !Path::new(open).starts_with(path));
        Ok(())
    }
}
