//! What the store has of an image, and what it needs.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

use crate::image::manifest::{Config, Descriptor, Manifest};
use crate::image::pull::board::{Blob, Board, Layer, Stage};
use crate::image::store::Store;

// ANCHOR: plan
pub fn plan(store: &Store, manifest: &Manifest, config: &Config) -> Result<Board> {
    let (mut blobs, mut layers) = (Vec::new(), Vec::new());
    let mut known = HashMap::new();
    let layers_and_ids = manifest.layers.iter().zip(&config.rootfs.diff_ids);
    for ((descriptor, diff_id), chain) in layers_and_ids.zip(config.chain()) {
        // An image may have the same layer twice.
        let blob = *known.entry(descriptor.digest).or_insert(blobs.len());
        if blob == blobs.len() {
            blobs.push(plan_blob(store, descriptor)?);
        }
        ensure!(
            blobs[blob].descriptor.size == descriptor.size,
            "layer {} has two sizes",
            descriptor.digest.short()
        );
        let stage = stage(store.layer(&chain).is_some());
        layers.push(Layer::new(chain, *diff_id, blob, stage));
    }
    Ok(Board::new(blobs, layers))
}
// ANCHOR_END: plan

fn plan_blob(store: &Store, descriptor: &Descriptor) -> Result<Blob> {
    let is_stored = store.has_blob(&descriptor.digest);
    let mut size = 0;
    if is_stored {
        let file = store.open_blob(&descriptor.digest)?;
        size = file.metadata().context("cannot look at a blob")?.len();
        if size != descriptor.size {
            bail!(store.damaged(&descriptor.digest));
        }
    }
    Ok(Blob {
        descriptor: descriptor.clone(),
        stage: stage(is_stored),
        have: size,
        file: None,
    })
}

fn stage(is_stored: bool) -> Stage {
    match is_stored {
        true => Stage::Stored,
        false => Stage::Waiting,
    }
}
