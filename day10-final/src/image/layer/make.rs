//! An entry onto the disk. Whatever had its name in this layer is replaced.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Once;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mknodat};
use nix::unistd::{linkat, symlinkat};

use crate::failure::say;
use crate::image::layer::archive::Archive;
use crate::image::layer::attributes::{self, Attributes};
use crate::image::layer::entry::{Entry, Kind};
use crate::image::layer::finish::Finisher;
use crate::image::layer::open::Dir;
use crate::image::layer::sparse::Sparse;
use crate::image::layer::tree::{Missing, Tree};
use crate::image::layer::whiteout;

/// Even a single byte between two holes needs as much of the disk, in most filesystems.
const PAGE: usize = 4096;

// ANCHOR: make
/// Creates what `entry` describes. The content of a file comes from the `archive`, its attributes from the `finisher`.
pub fn make(
    tree: &mut Tree,
    entry: &Entry,
    archive: &mut Archive<impl BufRead>,
    finisher: &mut Finisher,
) -> Result<()> {
    if whiteout::apply(tree, &entry.path)? {
        return Ok(());
    }
    tree.limits.create()?;
    let attributes = &entry.attributes;
    let Some(name) = entry.path.file_name() else {
        let directory = matches!(entry.kind, Kind::Directory);
        ensure!(directory, "/ is a directory");
        tree.described = true;
        return describe(&tree.root(), attributes);
    };
    let parent = entry.path.parent().unwrap_or(Path::new(""));
    let here = &tree.directory(parent, Missing::Make)?;
    tree.brought.claim(&here.path.join(name));
    match &entry.kind {
        Kind::File(size, sparse) => {
            let pieces = sparse.as_ref().map_or(0, |sparse| sparse.pieces.len());
            tree.limits.write((pieces * PAGE) as u64)?;
            let (file, is) = file(tree, here, name, attributes)?;
            fill(&file, *size, sparse.as_ref(), archive)?;
            finisher.add(file, is, entry)
        }
        Kind::Directory => tree
            .create(here, name)
            .and_then(|dir| describe(&dir, attributes)),
        Kind::Link(target) => {
            tree.replace(here, name, || symlinkat(&target[..], here, name))?;
            attributes.set_at(here.as_fd(), name, true)
        }
        Kind::Hard(target) => hard(tree, target, here, name)
            .with_context(|| format!("cannot link it to {}", target.display())),
        Kind::Node(kind, device) => node(tree, here, name, (*kind, *device), attributes),
    }
}
// ANCHOR_END: make

/// Gives a directory its attributes. Its time is set when it is closed.
fn describe(dir: &Dir, described: &Attributes) -> Result<()> {
    attributes::clear(dir.as_fd());
    described.set(dir.as_fd())?;
    // Its owner, its setgid bit, and its default access control list are what new files begin with.
    dir.created.set(None);
    dir.time.set(described.time);
    Ok(())
}

/// A new file, and what it is like.
fn file(
    tree: &mut Tree,
    here: &Dir,
    name: &OsStr,
    attributes: &Attributes,
) -> Result<(File, FileStat)> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    // Without setuid and setgid, as long as it belongs to us.
    let mode = Mode::from_bits_truncate(attributes.mode & 0o777);
    let file = tree.replace(here, name, || openat(here, name, flags, mode))?;
    // Files that are created alike in the same directory are alike.
    let is = match here.created.get() {
        Some((before, is)) if before == mode => is,
        _ => fstat(&file)?,
    };
    here.created.set(Some((mode, is)));
    Ok((file.into(), is))
}

// ANCHOR: fill
/// Writes what comes from the `archive`. What is not written stays a hole.
fn fill(
    mut file: &File,
    size: u64,
    sparse: Option<&Sparse>,
    archive: &mut Archive<impl BufRead>,
) -> Result<()> {
    let Some(sparse) = sparse else {
        return archive.copy(size, &mut file);
    };
    for (offset, length) in &sparse.pieces {
        file.seek(SeekFrom::Start(*offset))?;
        archive.copy(*length, &mut file)?;
    }
    Ok(file.set_len(sparse.size)?)
}
// ANCHOR_END: fill

// ANCHOR: hard
/// Lets `name` in `here` be another name of `target`, which may be a link itself.
fn hard(tree: &mut Tree, target: &Path, here: &Dir, name: &OsStr) -> Result<()> {
    let (Some(there), Some(other)) = (target.parent(), target.file_name()) else {
        bail!("it is a directory");
    };
    let there = &tree.directory(there, Missing::Fail)?;
    tree.take(there, other)?;
    if (&there.path, other) == (&here.path, name) {
        return Ok(());
    }
    let link = || linkat(there, other, here, name, AtFlags::empty());
    tree.replace(here, name, link)
}
// ANCHOR_END: hard

/// An image may have many devices. One line about them is enough.
static SAID: Once = Once::new();

/// A device or a FIFO. Only root may create devices; like Docker, others do without.
fn node(
    tree: &mut Tree,
    here: &Dir,
    name: &OsStr,
    (kind, device): (SFlag, libc::dev_t),
    attributes: &Attributes,
) -> Result<()> {
    let mode = Mode::from_bits_truncate(0o600);
    let made = tree.replace(here, name, || mknodat(here, name, kind, mode, device));
    match made {
        Err(error) if kind != SFlag::S_IFIFO && error.downcast_ref() == Some(&Errno::EPERM) => {
            let said = "the image contains devices, which only root can create: they are left out";
            SAID.call_once(|| say(said));
            Ok(())
        }
        made => {
            made?;
            attributes.set_at(here.as_fd(), name, false)
        }
    }
}
