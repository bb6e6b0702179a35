//! Descriptors and a manifest for files that came without any. For `load` and `import`.

use std::io::Read;

use anyhow::Result;
use serde_json::json;

use crate::image::digest::Digest;
use crate::image::layer::compression::{self, Compression};
use crate::image::manifest::{Descriptor, LAYER, LAYER_GZIP, LAYER_ZSTD, MANIFEST, Manifest};
use crate::image::store::spool::Spooled;

pub fn describe(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        platform: None,
        annotations: Default::default(),
        unknown: Default::default(),
    }
}

// ANCHOR: layer
/// Describes a layer. Only its first bytes say how it is compressed.
pub fn layer(file: &Spooled) -> Result<Descriptor> {
    let mut first = Vec::new();
    file.open()?
        .take(compression::MAGIC)
        .read_to_end(&mut first)?;
    let media_type = match compression::recognise(&first)? {
        Compression::None => LAYER,
        Compression::Gzip => LAYER_GZIP,
        Compression::Zstd => LAYER_ZSTD,
    };
    Ok(describe(media_type, file.digest, file.size))
}
// ANCHOR_END: layer

// ANCHOR: manifest
/// The bytes of a manifest, and their descriptor. For the same image, they are always the same.
pub fn manifest(manifest: &Manifest) -> (Descriptor, Vec<u8>) {
    let Manifest { config, layers } = manifest;
    let text = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
    });
    let text = text.to_string().into_bytes();
    let descriptor = describe(MANIFEST, Digest::of(&text), text.len() as u64);
    (descriptor, text)
}
// ANCHOR_END: manifest
