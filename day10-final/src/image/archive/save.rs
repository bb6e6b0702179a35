//! `save`: images into one archive, in both forms at once: see [`crate::image::archive`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::failure::shown;
use crate::image::archive::output::Output;
use crate::image::archive::{
    BUFFER, IMAGE_NAME, INDEX_JSON, Listed, MANIFEST_JSON, REF_NAME, path,
};
use crate::image::digest::{Digest, Hashing};
use crate::image::manifest::{Descriptor, INDEX};
use crate::image::name::Name;
use crate::image::store::{Image, Store, Whole};

/// Writes the `images` to stdout, or to the file `output`. The same images give the same bytes.
pub fn save(images: &[String], output: Option<&Path>, state: &Path) -> Result<u8> {
    let store = Store::existing(state)?;
    let mut archive = Archive::default();
    for text in images {
        let cannot = || format!("cannot save {}", shown(text));
        let store = store
            .as_ref()
            .context("there are no images")
            .with_context(cannot)?;
        archive.add(text, store).with_context(cannot)?;
    }
    let mut output = Output::new(output)?;
    if let Some(store) = &store {
        archive
            .write(store, &mut output)
            .context("cannot save the images")?;
    }
    output.finish()?;
    Ok(0)
}

/// What to write.
#[derive(Default)]
struct Archive {
    images: Vec<Named>,
    /// What the names of all blobs are, and their sizes.
    blobs: BTreeMap<Digest, u64>,
}

/// An image, and what it is called in the archive.
struct Named {
    whole: Whole,
    names: BTreeSet<Name>,
}

impl Archive {
    /// Adds what `text` means: an image or, if it is a name without a tag, all images of that name, as in Docker.
    fn add(&mut self, text: &str, store: &Store) -> Result<()> {
        let asked = text.parse::<Name>().ok();
        let mut found = match &asked {
            Some(name) if is_bare(name, text) => tags(name, store)?,
            _ => Vec::new(),
        };
        if found.is_empty() {
            let no_such = "no such image\nhint: tiny-docker images lists all images";
            found.push(store.find(text)?.context(no_such)?);
        }
        for image in found {
            let by_name = |name: &Name| {
                let asked = asked.as_ref();
                asked.is_some_and(|asked| {
                    asked.canonical_repository() == name.canonical_repository()
                })
            };
            // Whoever asks for an id gets an image without a name, as in Docker.
            let name = image.name.clone().filter(by_name);
            self.add_image(image, name, store)?;
        }
        Ok(())
    }

    fn add_image(&mut self, image: Image, name: Option<Name>, store: &Store) -> Result<()> {
        let is_it =
            |other: &&mut Named| other.whole.image.descriptor.digest == image.descriptor.digest;
        if let Some(other) = self.images.iter_mut().find(is_it) {
            other.names.extend(name);
            return Ok(());
        }
        let whole = store.whole(&image)?;
        let manifest = &whole.manifest;
        let documents = whole.documents.iter().chain([&manifest.config]);
        for blob in documents.chain(&manifest.layers) {
            self.blobs.insert(blob.digest, blob.size);
        }
        let names = BTreeSet::from_iter(name);
        self.images.push(Named { whole, names });
        Ok(())
    }

    // ANCHOR: write
    fn write(&self, store: &Store, output: &mut Output) -> Result<()> {
        let mut tar = Builder::new(BufWriter::with_capacity(BUFFER, output));
        let layout = json!({"imageLayoutVersion": "1.0.0"});
        for (path, document) in [
            ("oci-layout", layout),
            (INDEX_JSON, self.index()),
            (MANIFEST_JSON, self.list()),
        ] {
            let text = document.to_string();
            append(&mut tar, path, text.len() as u64, text.as_bytes())?;
        }
        // skopeo gives directories that are not in the archive to root, which only root can do.
        for directory in ["blobs/", "blobs/sha256/"] {
            append(&mut tar, directory, 0, io::empty())?;
        }
        for (digest, size) in &self.blobs {
            let mut blob = Hashing::new(store.open_blob(digest)?);
            append(&mut tar, &path(digest), *size, &mut blob)?;
            let is_it = blob.digest() == *digest;
            ensure!(
                is_it,
                "{digest} is damaged\nhint: remove and pull the image again"
            );
        }
        tar.into_inner()?.flush()?;
        Ok(())
    }
    // ANCHOR_END: write

    /// The images as an OCI image layout lists them: an entry for each name.
    fn index(&self) -> Value {
        let mut entries = Vec::new();
        for Named { whole, names } in &self.images {
            let entry = |name: Option<&Name>| Descriptor {
                annotations: name.map(annotations).unwrap_or_default(),
                ..whole.image.descriptor.clone()
            };
            entries.extend(names.iter().map(|name| entry(Some(name))));
            if names.is_empty() {
                entries.push(entry(None));
            }
        }
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    }

    /// The images as Docker lists them: an entry for each image.
    fn list(&self) -> Value {
        let list = self.images.iter().map(|Named { whole, names }| {
            let tags = names.iter().filter(|name| name.digest.is_none());
            Listed {
                config: path(&whole.manifest.config.digest),
                repo_tags: Some(tags.map(Name::to_string).collect()),
                layers: whole
                    .manifest
                    .layers
                    .iter()
                    .map(|layer| path(&layer.digest))
                    .collect(),
            }
        });
        json!(list.collect::<Vec<_>>())
    }
}

/// Whether `text`, which means `name`, leaves the tag to us.
fn is_bare(name: &Name, text: &str) -> bool {
    name.tag
        .as_ref()
        .is_some_and(|tag| !text.ends_with(&format!(":{tag}")))
}

/// All images whose name is `name`, with any tag.
fn tags(name: &Name, store: &Store) -> Result<Vec<Image>> {
    let mut images = store.images()?;
    images.retain(|image| {
        let named = image.name.as_ref().filter(|named| named.tag.is_some());
        named.is_some_and(|named| named.canonical_repository() == name.canonical_repository())
    });
    Ok(images)
}

fn annotations(name: &Name) -> BTreeMap<String, String> {
    let complete = (IMAGE_NAME.to_owned(), name.canonical());
    let tag = name.tag.clone().map(|tag| (REF_NAME.to_owned(), tag));
    [Some(complete), tag].into_iter().flatten().collect()
}

// ANCHOR: append
/// Adds the `size` bytes of `content` as a file, or a directory if `path` ends in a slash: root's, and from 1970, so that
/// nothing depends on when and by whom.
fn append(
    tar: &mut Builder<impl Write>,
    path: &str,
    size: u64,
    mut content: impl Read,
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_size(size);
    header.set_mode(0o644);
    if path.ends_with('/') {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
    }
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let mut exactly = content.by_ref().take(size);
    tar.append(&header, &mut exactly)?;
    let is_all = exactly.limit() == 0 && content.read(&mut [0])? == 0;
    ensure!(is_all, "{path} has another size than its image says");
    Ok(())
}
// ANCHOR_END: append
