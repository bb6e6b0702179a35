//! `load`: images from an archive into the store: see [`crate::image::archive`].

pub mod contents;
pub mod images;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::failure::{print, shown};
use crate::image::archive::load::contents::Contents;
use crate::image::archive::load::images::Found;
use crate::image::archive::{add_to_store, input, unpack};
use crate::image::manifest::Descriptor;
use crate::image::name::Name;
use crate::image::store::{Image, Store};

/// Loads all images of the archive `input` or, without one, of stdin: all of them, or none.
pub fn load(input: Option<&Path>, quiet: bool, state: &Path) -> Result<u8> {
    let name = input.map_or("stdin".into(), |path| path.to_string_lossy());
    let cannot = || format!("cannot load {}", shown(&name));
    let archive = input::open(input, "load").with_context(cannot)?;
    add_to_store(state, |store| {
        let lines = input::decompress(archive).and_then(|archive| {
            let contents = Contents::read(archive, store)?;
            add(&images::all(&contents)?, quiet, store)
        });
        Ok(print(lines.with_context(cannot)?.join("\n")))
    })
}

// ANCHOR: add
/// Adds the images to the store, and returns what to tell the user. They get their names when all of them are complete.
fn add(images: &[Found], quiet: bool, store: &Store) -> Result<Vec<String>> {
    let files = images.iter().flat_map(|image| &image.files);
    let files: BTreeMap<_, _> = files.map(|file| (file.digest, file)).collect();
    let open = |layer: &Descriptor| files.get(&layer.digest).context("it is missing")?.open();
    for image in images {
        unpack::layers(store, &image.manifest, &image.config, open)?;
    }
    store.sync()?;
    files.values().try_for_each(|file| file.keep())?;
    for manifest in images.iter().filter_map(|image| image.written.as_ref()) {
        store.write_blob(manifest)?;
    }
    let (mut lines, mut added) = (Vec::new(), Vec::new());
    let before = store.images()?;
    for image in images {
        let unnamed = image.names.is_empty().then_some(None);
        for name in image.names.iter().map(Some).chain(unnamed) {
            let taken = name.and_then(|name| taken(name, image, &before, store));
            lines.extend(taken.filter(|_| !quiet));
            lines.push(match name {
                Some(name) => format!("Loaded image: {name}"),
                None => format!("Loaded image ID: {}", image.manifest.config.digest),
            });
            added.push(Image {
                name: name.cloned(),
                descriptor: image.descriptor.clone(),
            });
        }
    }
    store.add_all(&added)?;
    Ok(lines)
}
// ANCHOR_END: add

/// What to say if another image has had the `name` before, in Docker's words.
fn taken(name: &Name, image: &Found, before: &[Image], store: &Store) -> Option<String> {
    let before = before.iter().find(|before| before.is_called(name))?;
    let id = store.id(before).ok()?;
    let moves = id != image.manifest.config.digest;
    moves.then(|| {
        format!(
            "The image {name} already exists, renaming the old one with ID {id} to empty string"
        )
    })
}
