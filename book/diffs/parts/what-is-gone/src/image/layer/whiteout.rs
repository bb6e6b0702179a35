//! Files that say what is gone: ".wh.NAME" hides NAME of the layers below, ".wh..wh..opq" everything in its directory.
//! The image specification, layer.md, "whiteouts". Their place in the archive does not matter: what the layer itself
//! has stays.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Result, bail};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{Mode, SFlag, fstatat, mknodat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::image::layer::beneath::{Found, is_directory, is_whiteout};
use crate::image::layer::open::Dir;
use crate::image::layer::tree::{Missing, Tree};

const PREFIX: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const NOTE: &[u8] = b".wh..wh.";

const NO_WHITEOUTS: &str = "the filesystem of the state directory cannot mark a file as removed\n\
    hint: use one that is not overlayfs: tiny-docker --root DIR, or TINY_DOCKER_ROOT";

// ANCHOR: apply
/// Does what a whiteout at `path` says. False if it is not one.
pub fn apply(tree: &mut Tree, path: &Path) -> Result<bool> {
    if is_note(path) {
        return Ok(true);
    }
    let name = path.file_name().unwrap_or_default().as_bytes();
    let Some(hidden) = name.strip_prefix(PREFIX) else {
        return Ok(false);
    };
    if matches!(hidden, b"" | b"." | b"..") {
        bail!("it hides nothing that has a name");
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    let here = match tree.directory(parent, Missing::Fail) {
        Err(error) => match error.downcast_ref() {
            // There is nothing to hide.
            Some(Errno::ENOENT | Errno::ENOTDIR) => return Ok(true),
            _ => return Err(error),
        },
        Ok(here) => here,
    };
    match name {
        OPAQUE => hide_all(tree, &here)?,
        // No layer can have a file of such a name.
        _ if hidden.starts_with(PREFIX) => (),
        _ => hide(tree, &here, OsStr::from_bytes(hidden))?,
    }
    Ok(true)
}
// ANCHOR_END: apply

/// aufs, which Docker had before overlayfs, keeps its own notes in / under such names.
fn is_note(path: &Path) -> bool {
    let first = path.iter().next().unwrap_or_default().as_bytes();
    first.starts_with(NOTE) && path.as_os_str().as_bytes() != OPAQUE
}

// ANCHOR: hide
/// Hides `name` of the layers below.
fn hide(tree: &mut Tree, here: &Rc<Dir>, name: &OsStr) -> Result<()> {
    match fstatat(here, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => (),
        Ok(_) if tree.brought.has(&here.path.join(name)) => tree.remove(here, name)?,
        Ok(own) if is_directory(&own) => {
            let own = tree.own(here, name)?;
            return hide_all(tree, &own);
        }
        // It hides what is below by being there.
        own => return Ok(own.map(drop)?),
    }
    if let Found::Nothing = tree.find_below(here, name)? {
        // In a directory with nothing below it, overlayfs would list a whiteout as a file.
        return Ok(());
    }
    tree.limits.create()?;
    match mknodat(here, name, SFlag::S_IFCHR, Mode::empty(), 0) {
        // In an overlayfs, only the kernel itself creates them.
        Err(Errno::EPERM) => bail!("{NO_WHITEOUTS}"),
        made => Ok(made?),
    }
}
// ANCHOR_END: hide

// ANCHOR: hide_all
/// Hides everything that is below the directory `here`.
fn hide_all(tree: &mut Tree, here: &Rc<Dir>) -> Result<()> {
    if tree.visible(here)?.is_empty() {
        return Ok(());
    }
    if here.path.as_os_str().is_empty() {
        // overlayfs does not look whether / is opaque.
        for layer in tree.beneath.layers()? {
            for entry in fs::read_dir(layer)? {
                hide(tree, here, &entry?.file_name())?;
            }
        }
        return Ok(());
    }
    tree.beneath.make_opaque(here.as_fd())?;
    tree.forget(&here.path)?;
    sweep(tree, here.path.clone())
}
// ANCHOR_END: hide_all

// ANCHOR: sweep
/// Removes the whiteouts in the directory `top` and below it, since nothing is left that they could hide. What has come
/// up from below goes as well.
fn sweep(tree: &mut Tree, top: PathBuf) -> Result<()> {
    let mut rest = vec![top];
    while let Some(path) = rest.pop() {
        let here = tree.directory(&path, Missing::Fail)?;
        for entry in fs::read_dir(format!("/proc/self/fd/{}", here.as_fd().as_raw_fd()))? {
            tree.limits.look(&path)?;
            let name = &entry?.file_name()[..];
            let path = path.join(name);
            let is = fstatat(&here, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            if tree.brought.has(&path) {
                tree.remove(&here, name)?;
            } else if is_directory(&is) {
                rest.push(path);
            } else if is_whiteout(&is) {
                unlinkat(&here, name, UnlinkatFlags::NoRemoveDir)?;
            }
        }
    }
    Ok(())
}
// ANCHOR_END: sweep
