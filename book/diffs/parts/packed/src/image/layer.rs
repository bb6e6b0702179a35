//! A layer onto the disk: from a compressed tar archive to a directory that overlayfs can use. tar(5), pax(1), and the
//! image specification, layer.md. Everything in an archive is hostile until it is proved otherwise.

pub mod compression;
mod gzip;
pub mod limits;
mod zstd;

use std::io::{self, Read};

use anyhow::Result;

use crate::image::digest::{Digest, Hashing};
use crate::image::layer::limits::Count;
// ANCHOR: unpack
/// Unpacks `blob` (compressed with gzip or zstd, or not at all: its first bytes decide, and `media_type` must not say
/// otherwise) into the empty directory `into`. Its size limits what may come out of it. Returns the digest of the
/// uncompressed archive: the layer's diff id, which the caller compares.
pub fn unpack(blob: impl Read + Send, media_type: &str) -> Result<Digest> {
    let said = compression::said(media_type)?;
    let count = Count::default();
    let turn = || Ok(());
    let archive = compression::decompress(blob, said, turn, Count::clone(&count))?;
    let mut archive = Hashing::new(archive);
    io::copy(&mut archive, &mut io::sink())?;
    Ok(archive.digest())
}
// ANCHOR_END: unpack
