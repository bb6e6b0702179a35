//! The layers of an image whose blobs are on the disk, and not yet in the store. For `load` and `import`.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::image::archive::input;
use crate::image::digest::{Digest, Hashing};
use crate::image::layer::{Below, unpack};
use crate::image::manifest::{Config, Descriptor, Manifest};
use crate::image::store::Store;

/// The layers that are there already, the uppermost first.
struct Lower(Vec<PathBuf>);

impl Below for Lower {
    fn layers(&self) -> Result<&[PathBuf]> {
        Ok(&self.0)
    }
}

// ANCHOR: layers
/// Unpacks them one after another, unless they are there, and checks that they are what `config` says. `open` opens the
/// blob of a layer.
pub fn layers(
    store: &Store,
    manifest: &Manifest,
    config: &Config,
    open: impl Fn(&Descriptor) -> Result<File>,
) -> Result<()> {
    let mut below = Lower(Vec::new());
    let layers = manifest.layers.iter().zip(&config.rootfs.diff_ids);
    for ((layer, diff_id), chain) in layers.zip(config.chain()) {
        let one = open(layer).and_then(|blob| one(store, layer, blob, diff_id, &chain, &below));
        one.with_context(|| format!("layer {}", layer.digest))?;
        let directory = store.layer(&chain).context("a layer is missing")?;
        below.0.insert(0, directory);
    }
    Ok(())
}

fn one(
    store: &Store,
    layer: &Descriptor,
    blob: File,
    diff_id: &Digest,
    chain: &Digest,
    below: &Lower,
) -> Result<()> {
    let Some(unfinished) = store.begin_layer(chain)? else {
        // It was unpacked from another blob, perhaps. This one would be saved and pushed with the image.
        let mut content = Hashing::new(input::decompress(blob)?);
        io::copy(&mut content, &mut io::sink())?;
        return check(&content.digest(), diff_id);
    };
    let into = &unfinished.directory;
    let found = unpack(blob, &layer.media_type, below, into)?;
    check(&found, diff_id)?;
    store.sync()?;
    unfinished.keep()
}
// ANCHOR_END: layers

fn check(found: &Digest, said: &Digest) -> Result<()> {
    ensure!(
        found == said,
        "it contains {found}, and the image says {said}"
    );
    Ok(())
}
