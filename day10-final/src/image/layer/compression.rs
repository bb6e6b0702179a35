//! What an archive is compressed with. Its first bytes decide, as they do for Docker.

use std::io::{self, BufReader, Cursor, Read};

use anyhow::{Result, bail};

use crate::failure::shown;
use crate::image::layer::gzip::Gzip;
use crate::image::layer::limits::{Count, Counted, Limited};
use crate::image::layer::zstd::Zstd;

/// How much we read at once, in bytes.
const BLOCK: usize = 128 << 10;

/// How many bytes [`recognise`] needs.
pub const MAGIC: u64 = 6;

#[derive(Clone, Copy, PartialEq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

// ANCHOR: said
/// What a layer's media type says. It may be empty, and say nothing.
pub fn said(media_type: &str) -> Result<Option<Compression>> {
    let layer = [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];
    let suffix = layer
        .iter()
        .find_map(|layer| media_type.strip_prefix(layer));
    Ok(match suffix {
        None if media_type.is_empty() => None,
        Some("") => Some(Compression::None),
        Some("+gzip" | ".gzip") => Some(Compression::Gzip),
        Some("+zstd" | ".zstd") => Some(Compression::Zstd),
        _ => bail!(
            "{} is not the type of a layer that we know",
            shown(media_type)
        ),
    })
}
// ANCHOR_END: said

// ANCHOR: decompress
/// What is in `blob`. It must not be compressed in another way than somebody `said`. Before it takes more memory than
/// others, it waits for its `turn`. It counts how much it has read.
pub fn decompress<'a>(
    blob: impl Read + Send + 'a,
    said: Option<Compression>,
    turn: impl Fn() -> Result<()> + Send + 'a,
    count: Count,
) -> io::Result<impl Read + Send + 'a> {
    let mut blob = Counted::new(blob, Count::clone(&count));
    let mut first = Vec::new();
    blob.by_ref().take(MAGIC).read_to_end(&mut first)?;
    let found = recognise(&first)?;
    if said.is_some_and(|said| said != found) {
        let is = match found {
            Compression::None => "not compressed",
            Compression::Gzip => "compressed with gzip",
            Compression::Zstd => "compressed with zstd",
        };
        return Err(io::Error::other(format!(
            "it is {is}, but its media type says otherwise"
        )));
    }
    let blob = BufReader::with_capacity(BLOCK, Cursor::new(first).chain(blob));
    let inner: Box<dyn Read + Send> = match found {
        Compression::None => Box::new(blob),
        Compression::Gzip => Box::new(Gzip::new(blob)),
        Compression::Zstd => Box::new(Zstd::new(blob, turn)),
    };
    Ok(Limited::new(inner, count))
}

/// By the magic numbers of RFC 1952 and RFC 8878. A tar archive begins with a name.
pub fn recognise(first: &[u8]) -> io::Result<Compression> {
    Ok(match first {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        // A frame to skip, in which some tools put notes.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            return Err(io::Error::other(
                "it is compressed with neither gzip nor zstd",
            ));
        }
        _ => Compression::None,
    })
}
// ANCHOR_END: decompress
