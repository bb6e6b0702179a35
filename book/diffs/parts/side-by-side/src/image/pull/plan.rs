//! What the store has of an image, and what it needs.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

use crate::image::manifest::{Descriptor, Manifest};
use crate::image::pull::board::{Blob, Board, Stage};
use crate::image::store::Store;

// ANCHOR: plan
pub fn plan(store: &Store, manifest: &Manifest) -> Result<Board> {
    let mut blobs = Vec::new();
    let mut known = HashMap::new();
    for descriptor in &manifest.layers {
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
    }
    Ok(Board::new(blobs))
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
    })
}

fn stage(is_stored: bool) -> Stage {
    match is_stored {
        true => Stage::Stored,
        false => Stage::Waiting,
    }
}
