//! Which images an archive has: by its index.json or, if it has none, by its manifest.json.

use std::collections::BTreeMap;
use std::slice;

use anyhow::{Context, Result, bail, ensure};

use crate::failure::{shown, warn};
use crate::image::archive::describe::{self, describe};
use crate::image::archive::load::contents::Contents;
use crate::image::archive::{IMAGE_NAME, INDEX_JSON, Listed, MANIFEST_JSON, REF_NAME, path};
use crate::image::digest::Digest;
use crate::image::manifest::{CONFIG, Config, Descriptor, Document, INDEX, Manifest};
use crate::image::manifest::{Foreign, bare, choose, parse};
use crate::image::name::Name;
use crate::image::store::NESTED;
use crate::image::store::spool::Spooled;

/// How many names an archive may have, for all its images together.
const NAMES: usize = 1000;

/// An image in the archive, with everything that it needs.
pub struct Found<'a> {
    pub names: Vec<Name>,
    /// What the names lead to.
    pub descriptor: Descriptor,
    pub manifest: Manifest,
    pub config: Config,
    pub files: Vec<&'a Spooled<'a>>,
    /// Its manifest, if that is not in the archive: Docker's older archives have none.
    pub written: Option<Vec<u8>>,
}

// ANCHOR: all
/// Those for other machines are left out, unless there are no others.
pub fn all<'a>(contents: &'a Contents<'a>) -> Result<Vec<Found<'a>>> {
    let all = match contents.has(INDEX_JSON) {
        true => in_layout(contents)?,
        false => in_list(contents)?,
    };
    let (mut images, mut others) = (Vec::new(), Vec::new());
    for image in all {
        match image {
            Err(error) if error.is::<Foreign>() => others.push(error),
            image => images.push(image?),
        }
    }
    let mut others = others.into_iter();
    if images.is_empty() {
        others.try_for_each(Err)?;
        bail!("there are no images in it");
    }
    let names: usize = images.iter().map(|image: &Found| image.names.len()).sum();
    ensure!(names <= NAMES, "its images have more than {NAMES} names");
    others.for_each(|error| warn(&error.context("leaving out an image")));
    Ok(images)
}
// ANCHOR_END: all

// ANCHOR: layout
/// The images of an OCI image layout.
fn in_layout<'a>(contents: &'a Contents<'a>) -> Result<Vec<Result<Found<'a>>>> {
    let index = contents.text(INDEX_JSON)?;
    let index = Document::read(&index, Some(INDEX));
    let Document::Index(entries) = index.with_context(|| format!("cannot read {INDEX_JSON}"))?
    else {
        bail!("{INDEX_JSON} is not an index");
    };
    let mut names: BTreeMap<Digest, Vec<Name>> = BTreeMap::new();
    for entry in &entries {
        names.entry(entry.digest).or_default().extend(name(entry)?);
    }
    let runs = |entry: &&Descriptor| choose(slice::from_ref(entry)).is_ok();
    let here: Vec<_> = entries.iter().filter(runs).collect();
    if here.is_empty() {
        choose(&entries)?;
    }
    // Each name of an image has its own entry.
    let each = here.into_iter().filter_map(|entry| {
        let names = names.remove(&entry.digest)?;
        Some(find(entry, names, contents))
    });
    Ok(each.collect())
}
// ANCHOR_END: layout

/// The images that Docker's list has.
fn in_list<'a>(contents: &'a Contents<'a>) -> Result<Vec<Result<Found<'a>>>> {
    ensure!(
        contents.has(MANIFEST_JSON),
        "it has neither {INDEX_JSON} nor {MANIFEST_JSON}, so there are no images in it\n\
         hint: tiny-docker import makes an image of a root filesystem"
    );
    let list: Result<Vec<Listed>> = parse(&contents.text(MANIFEST_JSON)?);
    let list = list.with_context(|| format!("cannot read {MANIFEST_JSON}"))?;
    Ok(list.iter().map(|listed| listed.find(contents)).collect())
}

/// The name of an image in an index. A tag alone is none.
fn name(entry: &Descriptor) -> Result<Option<Name>> {
    let annotation = |key| entry.annotations.get(key);
    let complete = annotation(REF_NAME).filter(|name| name.contains(['/', ':', '@']));
    let Some(text) = annotation(IMAGE_NAME).or(complete) else {
        return Ok(None);
    };
    let name: Name = text.parse()?;
    let differs = name.digest.is_some_and(|digest| digest != entry.digest);
    ensure!(
        !differs,
        "{} is not the name of {}",
        shown(text),
        entry.digest
    );
    Ok(Some(name))
}

/// The image that an `entry` of the index leads to, through other indexes if need be.
fn find<'a>(entry: &Descriptor, names: Vec<Name>, contents: &'a Contents<'a>) -> Result<Found<'a>> {
    let (mut descriptor, mut files) = (entry.clone(), Vec::new());
    for _ in 0..=NESTED {
        files.push(contents.blob(&descriptor)?);
        let bytes = contents.text(&path(&descriptor.digest))?;
        let document = Document::read(&bytes, Some(&descriptor.media_type));
        let manifest = match document.with_context(|| descriptor.digest.to_string())? {
            Document::Manifest(manifest) => *manifest,
            Document::Index(index) => {
                descriptor = choose(&index)?.clone();
                continue;
            }
        };
        // What else it says is of no use in the store.
        let descriptor = describe(bare(&entry.media_type), entry.digest, entry.size);
        files.push(contents.blob(&manifest.config)?);
        for layer in &manifest.layers {
            files.push(contents.blob(layer)?);
        }
        let config = contents.text(&path(&manifest.config.digest))?;
        return Ok(Found {
            names,
            descriptor,
            config: Config::read(&config, &manifest)?,
            manifest,
            files,
            written: None,
        });
    }
    bail!("its indexes are nested too deeply")
}

impl Listed {
    // ANCHOR: listed
    /// The image, with the manifest that it lacks. The same image always gets the same one.
    fn find<'a>(&self, contents: &'a Contents<'a>) -> Result<Found<'a>> {
        let tags = self.repo_tags.iter().flatten();
        let names = tags.map(|tag| {
            let name: Name = tag.parse()?;
            ensure!(name.digest.is_none(), "'{}' is not a tag", shown(tag));
            Ok(name)
        });
        let names = names.collect::<Result<_>>()?;
        let config = contents.find(&self.config)?;
        let mut files = vec![config];
        let mut layers = Vec::new();
        for layer in &self.layers {
            let file = contents.find(layer)?;
            let described = describe::layer(file);
            layers.push(described.with_context(|| format!("cannot read {}", shown(layer)))?);
            files.push(file);
        }
        let config = describe(CONFIG, config.digest, config.size);
        let manifest = Manifest { config, layers };
        let (descriptor, written) = describe::manifest(&manifest);
        let config = Config::read(&contents.text(&self.config)?, &manifest)?;
        Ok(Found {
            names,
            descriptor,
            manifest,
            config,
            files,
            written: Some(written),
        })
    }
    // ANCHOR_END: listed
}
