//! A layer onto the disk: from a compressed tar archive to a directory that overlayfs can use. tar(5), pax(1), and the
//! image specification, layer.md. Everything in an archive is hostile until it is proved otherwise.

pub mod archive;
pub mod attributes;
mod beneath;
mod brought;
pub mod compression;
mod copy_up;
pub mod entry;
mod extended;
mod gzip;
pub mod limits;
mod make;
mod merged;
mod number;
mod open;
pub mod path;
mod sparse;
mod tree;
mod whiteout;
mod xattr;
mod zstd;

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};

pub use crate::image::layer::beneath::Below;

use crate::image::digest::{Digest, Hashing};
use crate::image::layer::archive::Archive;
use crate::image::layer::entry::Entry;
use crate::image::layer::limits::Count;
use crate::image::layer::tree::Tree;

// ANCHOR: unpack
/// Unpacks `blob` (compressed with gzip or zstd, or not at all: its first bytes decide, and `media_type` must not say
/// otherwise) into the empty directory `into`. Its size limits what may come out of it. Returns the digest of the
/// uncompressed archive: the layer's diff id, which the caller compares.
pub fn unpack(
    blob: impl Read + Send,
    media_type: &str,
    below: &dyn Below,
    into: &Path,
) -> Result<Digest> {
    let said = compression::said(media_type)?;
    let count = Count::default();
    // Layers are unpacked side by side. One that needs much memory waits for those below it.
    let turn = || below.layers().map(drop);
    let archive = compression::decompress(blob, said, turn, Count::clone(&count))?;
    let mut archive = Hashing::new(archive);
    let blocks = BufReader::new(&mut archive);
    fill(&mut Tree::new(into, count, below)?, Archive::new(blocks))?;
    Ok(archive.digest())
}

/// Unpacks all of the `archive`, and reads what is behind it: zeros, in most cases. They count for the digest.
fn fill(tree: &mut Tree, mut archive: Archive<impl BufRead>) -> Result<()> {
    while let Some(entry) = Entry::next(&mut archive)? {
        make::make(tree, &entry, &mut archive).with_context(|| path::cannot_unpack(&entry.name))?;
    }
    tree.finish()?;
    io::copy(&mut archive.end(), &mut io::sink())?;
    Ok(())
}
// ANCHOR_END: unpack
