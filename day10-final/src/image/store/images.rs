//! The images of the store, by name or by id, and what their manifests lead to.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::image::digest::Digest;
use crate::image::manifest::{Config, Descriptor, Document, Manifest, choose};
use crate::image::name::Name;
use crate::image::store::index::Index;
use crate::image::store::{Image, NESTED, Store, Whole};
use crate::state::open_directory;

impl Store {
    /// All images, in the index's order.
    pub fn images(&self) -> Result<Vec<Image>> {
        Ok(Index::read(&self.directory)?.images())
    }

    /// The image that `text` means, as Docker has it: a name, an id (of the configuration) or the beginning of one.
    /// Names come first. An ambiguous prefix is an error. None: there is none.
    pub fn find(&self, text: &str) -> Result<Option<Image>> {
        let images = self.images()?;
        if let Ok(name) = text.parse() {
            let named = images.iter().find(|image| image.is_called(&name));
            if named.is_some() {
                return Ok(named.cloned());
            }
        }
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if text.is_empty() || !text.chars().all(is_hex) {
            return Ok(None);
        }
        let id = |image: &Image| self.id(image).ok();
        let with_ids = images.iter().filter_map(|image| Some((id(image)?, image)));
        let mut found = with_ids.filter(|(id, _)| id.hex().starts_with(text));
        let Some((one, image)) = found.next() else {
            return Ok(None);
        };
        if let Some((another, _)) = found.find(|(id, _)| *id != one) {
            let (one, another) = (one.short(), another.short());
            bail!("several ids begin with it, for example {one} and {another}");
        }
        Ok(Some(image.clone()))
    }

    /// What Docker calls the image's id: the digest of its configuration.
    pub fn id(&self, image: &Image) -> Result<Digest> {
        let (_, manifest) = self.manifest(&image.descriptor)?;
        Ok(manifest.config.digest)
    }

    /// Its manifest and configuration, read from blobs whose digests are checked.
    pub fn whole(&self, image: &Image) -> Result<Whole> {
        let (documents, manifest) = self.manifest(&image.descriptor)?;
        let config = Config::read(&self.read_blob(&manifest.config)?, &manifest)?;
        Ok(Whole {
            image: image.clone(),
            documents,
            manifest,
            config,
        })
    }

    /// The manifest that `descriptor` leads to, through indexes if need be.
    fn manifest(&self, descriptor: &Descriptor) -> Result<(Vec<Descriptor>, Manifest)> {
        let mut documents = vec![descriptor.clone()];
        while let Some(document) = documents.last().filter(|_| documents.len() <= NESTED + 1) {
            let bytes = self.read_blob(document)?;
            match Document::read(&bytes, Some(&document.media_type))? {
                Document::Manifest(manifest) => return Ok((documents, *manifest)),
                Document::Index(index) => documents.push(choose(&index)?.clone()),
            }
        }
        bail!("its indexes are nested too deeply")
    }

    // ANCHOR: add
    /// Adds the image, or lets `name` mean it from now on. The image that had the name stays, without one (as in
    /// Docker), unless nothing else needs it and it has the same id. Everything it leads to is complete and synced.
    pub fn add(&self, name: Option<&Name>, descriptor: &Descriptor) -> Result<()> {
        let name = name.cloned();
        let descriptor = descriptor.clone();
        self.add_all(&[Image { name, descriptor }])
    }

    /// The same with several images, all at once.
    pub fn add_all(&self, images: &[Image]) -> Result<()> {
        for directory in ["blobs/sha256", "layers"] {
            let directory = self.directory.join(directory);
            let synced = open_directory(&directory).and_then(|file| Ok(file.sync_all()?));
            synced.with_context(|| format!("cannot sync {}", directory.display()))?;
        }
        let ids = images.iter().map(|image| self.id(image));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        Index::change(&self.directory, |index| {
            for (image, id) in images.iter().zip(&ids) {
                self.add_to(index, image, id);
            }
        })
    }

    /// Adds an image with this `id`.
    fn add_to(&self, index: &mut Index, Image { name, descriptor }: &Image, id: &Digest) {
        let canonical = |name: &Option<Name>| name.as_ref().map(Name::canonical);
        let same_name = |image: &Image| name.is_some() && canonical(&image.name) == canonical(name);
        let same = |image: &Image| image.descriptor.digest == descriptor.digest;
        let images = index.images();
        let before = images.into_iter().find(|image| same_name(image));
        if name.is_none() && index.images().iter().any(same) {
            return;
        }
        index.remove(|image| same_name(image) || image.name.is_none() && same(image));
        index.add(name.as_ref(), descriptor);
        let Some(before) = before else { return };
        let needed = |image: &Image| image.descriptor.digest == before.descriptor.digest;
        if !index.images().iter().any(needed) && self.id(&before).ok().as_ref() != Some(id) {
            index.add(None, &before.descriptor);
        }
    }
    // ANCHOR_END: add

    /// Removes entries of the index, all at once, and returns those that were there. What nobody needs any more goes
    /// with [`collect`](collect::collect).
    pub fn remove(&self, images: &[Image]) -> Result<Vec<Image>> {
        let is_meant = |entry: &Image| images.iter().any(|it| it.descriptor == entry.descriptor);
        let remove = || {
            let mut gone = Vec::new();
            Index::change(&self.directory, |index| {
                gone = index.images();
                gone.retain(is_meant);
                index.remove(is_meant);
            })?;
            Ok(gone)
        };
        // On a full disk, the new index finds no room. The sizes of layers can be measured again.
        remove().or_else(
            |error| match fs::remove_dir_all(self.directory.join("sizes")) {
                Ok(()) => remove(),
                Err(_) => Err(error),
            },
        )
    }

    /// Takes the name away from an entry of the index. The image stays.
    pub fn untag(&self, image: &Image) -> Result<()> {
        Index::change(&self.directory, |index| {
            index.remove(|entry| entry.descriptor == image.descriptor);
            index.add(None, &image.descriptor);
        })
    }
}

impl Image {
    /// Whether `name` means it. With a digest, a name may mean an image that also has a tag.
    pub fn is_called(&self, name: &Name) -> bool {
        self.name.as_ref().is_some_and(|own| match name.digest {
            Some(digest) => {
                digest == self.descriptor.digest
                    && own.canonical_repository() == name.canonical_repository()
            }
            None => own.canonical() == name.canonical(),
        })
    }
}
