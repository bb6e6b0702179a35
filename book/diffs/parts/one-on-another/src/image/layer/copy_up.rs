//! What a layer needs of the layers below comes up: a directory to put something in, a file to give it another name.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat, mknodat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, lseek, symlinkat};

use crate::image::layer::attributes::{Attributes, is_note};
use crate::image::layer::beneath::kind;
use crate::image::layer::open::Dir;
use crate::image::layer::tree::Tree;
use crate::image::layer::xattr;

impl Attributes {
    /// Those of an open file or directory, except overlayfs's own.
    pub fn of(fd: BorrowedFd) -> Result<Self> {
        let names = xattr::list(fd).unwrap_or_default().into_iter();
        let names = names.filter(|name| !is_note(&name.to_string_lossy()));
        let extended = names.filter_map(|name| {
            let value = xattr::get(fd, &name).ok()?;
            Some((name.into_bytes(), value))
        });
        let is = fstat(fd)?;
        Ok(Self {
            user: is.st_uid,
            group: is.st_gid,
            mode: is.st_mode & 0o7777,
            time: TimeSpec::new(is.st_mtime, is.st_mtime_nsec),
            extended: extended.collect(),
        })
    }
}

// ANCHOR: directory
/// A directory like `from`, but empty.
pub fn directory(tree: &mut Tree, from: &OwnedFd, here: &Dir, name: &OsStr) -> Result<Rc<Dir>> {
    tree.limits.create()?;
    let attributes = Attributes::of(from.as_fd())?;
    let dir = tree.create(here, name)?;
    attributes.set(dir.as_fd())?;
    dir.time.set(attributes.time);
    Ok(dir)
}
// ANCHOR_END: directory

// ANCHOR: other
/// A copy of `from`, which is open as a path, and is not a directory.
pub fn other(tree: &mut Tree, from: OwnedFd, here: &Dir, name: &OsStr) -> Result<()> {
    tree.limits.create()?;
    let is = fstat(&from)?;
    let mode = Mode::from_bits_truncate(0o600);
    if kind(&is) == SFlag::S_IFREG {
        let path = format!("/proc/self/fd/{}", from.as_raw_fd());
        let from = File::open(path).context("cannot read it")?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let to = File::from(openat(here, name, flags, mode)?);
        copy(tree, &from, &to, is.st_size as u64)?;
        let attributes = Attributes::of(from.as_fd())?;
        attributes.set(to.as_fd())?;
        return attributes.set_time(to.as_fd());
    }
    let is_link = kind(&is) == SFlag::S_IFLNK;
    match is_link {
        true => symlinkat(readlinkat(&from, "")?.as_os_str(), here, name)?,
        false => mknodat(here, name, kind(&is), mode, is.st_rdev)?,
    }
    let attributes = Attributes {
        user: is.st_uid,
        group: is.st_gid,
        mode: is.st_mode & 0o7777,
        time: TimeSpec::new(is.st_mtime, is.st_mtime_nsec),
        extended: Default::default(),
    };
    attributes.set_at(here.as_fd(), name, is_link)
}

/// Only its data: holes stay holes.
fn copy(tree: &mut Tree, mut from: &File, mut to: &File, size: u64) -> Result<()> {
    let mut end = 0;
    loop {
        let start = match lseek(from, end, Whence::SeekData) {
            Err(Errno::ENXIO) => break,
            start => start?,
        };
        end = lseek(from, start, Whence::SeekHole)?;
        let length = (end - start) as u64;
        tree.limits.write(length)?;
        from.seek(SeekFrom::Start(start as u64))?;
        to.seek(SeekFrom::Start(start as u64))?;
        io::copy(&mut from.take(length), &mut to)?;
    }
    Ok(to.set_len(size)?)
}
// ANCHOR_END: other
