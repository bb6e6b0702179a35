//! What we know about an image, under Docker's names.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::image::digest::Digest;
use crate::image::keep::size;
use crate::image::name::Name;
use crate::image::store::{Store, Whole};

// ANCHOR: describe
/// The image that `text` means, if there is one.
pub fn describe(text: &str, state: &Path) -> Result<Option<Value>> {
    let Some(store) = Store::existing(state)? else {
        return Ok(None);
    };
    let Some(image) = store.find(text)? else {
        return Ok(None);
    };
    let Whole {
        manifest, config, ..
    } = store.whole(&image)?;
    let id = manifest.config.digest;
    let names = names(&store, &id)?;
    let tags = names.iter().filter(|(name, _)| name.digest.is_none());
    let digests = names
        .iter()
        .map(|(name, digest)| format!("{}@{digest}", name.familiar_repository()));
    let layers = config.chain();
    size::measure(&store, &layers)?;
    Ok(Some(json!({
        "Id": id,
        "RepoTags": tags.map(|(name, _)| name.to_string()).collect::<Vec<_>>(),
        "RepoDigests": digests.collect::<BTreeSet<_>>(),
        "Created": config.created,
        "Author": config.author.unwrap_or_default(),
        "Architecture": config.architecture,
        "Os": config.os,
        "Size": size::of(&store, &layers),
        "Config": config.config,
        "RootFS": { "Type": "layers", "Layers": config.rootfs.diff_ids },
    })))
}
// ANCHOR_END: describe

/// All names of the image `id`, and the digests of what they lead to.
fn names(store: &Store, id: &Digest) -> Result<Vec<(Name, Digest)>> {
    let mut images = store.images()?;
    images.retain(|image| store.id(image).is_ok_and(|own| own == *id));
    let named = images.into_iter();
    Ok(named
        .filter_map(|image| Some((image.name?, image.descriptor.digest)))
        .collect())
}
