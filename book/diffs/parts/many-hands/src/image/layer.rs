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
mod finish;
mod gzip;
pub mod limits;
mod make;
mod merged;
mod number;
mod open;
pub mod path;
mod pipe;
mod sparse;
mod tree;
mod whiteout;
mod xattr;
mod zstd;

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};

pub use crate::image::layer::beneath::Below;

use crate::image::digest::{Digest, Hashing};
use crate::image::layer::archive::Archive;
use crate::image::layer::entry::Entry;
use crate::image::layer::finish::Finisher;
use crate::image::layer::limits::Count;
use crate::image::layer::pipe::Middle;
use crate::image::layer::tree::Tree;

// ANCHOR: unpack
/// Unpacks `blob` (compressed with gzip or zstd, or not at all: its first bytes decide, and `media_type` must not say
/// otherwise) into the empty directory `into`. Its size limits what may come out of it. Returns the digest of the
/// uncompressed archive: the layer's diff id, which the caller compares.
///
/// One thread reads and decompresses, the next one hashes, this one unpacks, and another one finishes its files.
pub fn unpack(
    blob: impl Read + Send,
    media_type: &str,
    below: &dyn Below,
    into: &Path,
) -> Result<Digest> {
    let said = compression::said(media_type)?;
    let (filler, middle, blocks) = pipe::new();
    let count = Count::default();
    thread::scope(|scope| {
        // Layers are unpacked side by side. One that needs much memory waits for those below it.
        let turn = || below.layers().map(drop);
        let of_thread = Count::clone(&count);
        let decompress = move || filler.fill(compression::decompress(blob, said, turn, of_thread));
        let cannot = "cannot start a thread";
        let thread = thread::Builder::new().spawn_scoped(scope, decompress);
        thread.context(cannot)?;
        let hash = thread::Builder::new().spawn_scoped(scope, || digest(middle));
        let hash = hash.context(cannot)?;
        let (finisher, written) = finish::new();
        let finish = thread::Builder::new().spawn_scoped(scope, || finish::finish(written));
        let finish = finish.context(cannot)?;
        let mut tree = Tree::new(into, count, below)?;
        let filled = fill(&mut tree, Archive::new(blocks), finisher);
        // If that has failed because the other thread has, this error says why.
        let finished = finish.join();
        finished.map_err(|_| anyhow!("the thread that finishes files has failed"))??;
        filled?;
        let digest = hash.join();
        digest.map_err(|_| anyhow!("the thread that hashes it has failed"))
    })
}

fn digest(middle: Middle) -> Digest {
    let mut hashing = Hashing::new(io::sink());
    middle.watch(|bytes| drop(hashing.write_all(bytes)));
    hashing.digest()
}

/// Unpacks all of the `archive`, and reads what is behind it: zeros, in most cases. They count for the digest.
fn fill(tree: &mut Tree, mut archive: Archive<impl BufRead>, mut finisher: Finisher) -> Result<()> {
    while let Some(entry) = Entry::next(&mut archive)? {
        make::make(tree, &entry, &mut archive, &mut finisher)
            .with_context(|| path::cannot_unpack(&entry.name))?;
    }
    finisher.hand_over()?;
    tree.finish()?;
    io::copy(&mut archive.end(), &mut io::sink())?;
    Ok(())
}
// ANCHOR_END: unpack
