//! What has to stay in the store, because an image or a container needs it.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::image::digest::Digest;
use crate::image::manifest::{Config, Descriptor, Document, Manifest};
use crate::image::store::index::Index;
use crate::image::store::{NESTED, Store};
use crate::state::store::all;

#[derive(Default)]
pub struct Needed {
    pub blobs: HashSet<Digest>,
    /// By their chain ids.
    pub layers: HashSet<Digest>,
}

impl Needed {
    // ANCHOR: needed
    /// What the images in the index and the containers need. If it cannot be known, that is an error.
    pub fn by(store: &Store, state: &Path) -> Result<Self> {
        let mut needed = Self::default();
        let index = Index::read(&store.directory)?;
        ensure!(
            !index.has_others(),
            "an entry of index.json is not an image"
        );
        for image in index.images() {
            needed.add(store, &image.descriptor, NESTED)?;
        }
        for container in all(state)? {
            let image = container?.image;
            needed
                .layers
                .extend(image.into_iter().flat_map(|image| image.layers));
        }
        Ok(needed)
    }
    // ANCHOR_END: needed

    fn add(&mut self, store: &Store, descriptor: &Descriptor, nested: usize) -> Result<()> {
        let bytes = store.read_blob(descriptor)?;
        self.blobs.insert(descriptor.digest);
        match Document::read(&bytes, Some(&descriptor.media_type))? {
            Document::Manifest(manifest) => self.add_manifest(store, &manifest),
            Document::Index(index) => {
                ensure!(nested > 0, "its indexes are nested too deeply");
                // Those for other machines are not there.
                let mut there = index.iter().filter(|entry| store.has_blob(&entry.digest));
                there.try_for_each(|entry| self.add(store, entry, nested - 1))
            }
        }
    }

    fn add_manifest(&mut self, store: &Store, manifest: &Manifest) -> Result<()> {
        let parts = manifest.layers.iter().chain([&manifest.config]);
        self.blobs.extend(parts.map(|part| part.digest));
        // It may be for another machine.
        let config = serde_json::from_slice::<Config>(&store.read_blob(&manifest.config)?);
        let config = config.context("cannot read an image's configuration")?;
        self.layers.extend(config.chain());
        Ok(())
    }
}
