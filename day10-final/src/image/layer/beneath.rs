//! What is below a layer, as overlayfs sees it: where a path leads in the layers that are unpacked already.
//! The kernel's overlayfs.rst, "whiteouts and opaque directories".

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use crate::image::layer::xattr;
use crate::namespaces::idmap::is_rootless;

/// What is below a layer, from the top down. It may not be complete yet: whoever needs it waits.
pub trait Below: Sync {
    fn layers(&self) -> Result<&[PathBuf]>;
}

/// What is at a path.
pub enum Found {
    Nothing,
    /// A directory, and which layers have a part of it, from the top down.
    Directory(OwnedFd, Vec<usize>),
    /// Something else, open as a path only.
    Other(OwnedFd),
}

pub struct Beneath<'a> {
    below: &'a dyn Below,
    /// The attribute of an opaque directory, which hides those below it. Without root, overlayfs has another one.
    opaque: &'static CStr,
}

impl<'a> Beneath<'a> {
    pub fn new(below: &'a dyn Below) -> Self {
        let opaque = match is_rootless() {
            true => c"user.overlay.opaque",
            false => c"trusted.overlay.opaque",
        };
        Self { below, opaque }
    }

    pub fn layers(&self) -> Result<&'a [PathBuf]> {
        self.below.layers().context("the layers below are missing")
    }

    // ANCHOR: find
    /// Looks for `path` in those layers which are `visible` in the directory that it is in. `path` has no links.
    pub fn find(&self, visible: &[usize], path: &Path) -> Result<Found> {
        let layers = self.layers()?;
        let (mut top, mut parts) = (None, Vec::new());
        for index in visible {
            let Some(found) = open(&layers[*index], path)? else {
                continue;
            };
            let is = fstat(&found)?;
            if !is_directory(&is) {
                return Ok(match top {
                    Some(top) => Found::Directory(top, parts),
                    None if is_whiteout(&is) => Found::Nothing,
                    None => Found::Other(found),
                });
            }
            let found = directory(found.as_fd())?;
            let opaque = self.is_opaque(found.as_fd());
            top.get_or_insert(found);
            parts.push(*index);
            if opaque {
                break;
            }
        }
        Ok(top.map_or(Found::Nothing, |top| Found::Directory(top, parts)))
    }
    // ANCHOR_END: find

    pub fn is_opaque(&self, directory: BorrowedFd) -> bool {
        xattr::get(directory, self.opaque).is_ok_and(|value| value == b"y")
    }

    pub fn make_opaque(&self, directory: BorrowedFd) -> Result<()> {
        xattr::set(directory, self.opaque, b"y").context("cannot make a directory opaque")
    }
}

/// A layer's / as a directory.
pub fn root(layer: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(AT_FDCWD, layer, flags, Mode::empty())
        .with_context(|| format!("cannot open {}", layer.display()))
}

// ANCHOR: open
fn open(layer: &Path, path: &Path) -> Result<Option<OwnedFd>> {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC);
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    match openat2(root(layer)?, path, how.resolve(resolve)) {
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => bail!("cannot open {} in a layer: {errno}", path.display()),
        Ok(found) => Ok(Some(found)),
    }
}
// ANCHOR_END: open

/// The directory that is open as a path, for reading.
fn directory(path: BorrowedFd) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(path, ".", flags, Mode::empty())
}

pub fn is_directory(is: &FileStat) -> bool {
    kind(is) == SFlag::S_IFDIR
}

/// A character device 0:0 hides whatever has its name in the layers below.
pub fn is_whiteout(is: &FileStat) -> bool {
    kind(is) == SFlag::S_IFCHR && is.st_rdev == 0
}

pub fn kind(is: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(is.st_mode) & SFlag::S_IFMT
}
