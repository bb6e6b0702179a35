//! index.json: which images there are, and what they are called. The image specification, image-layout.md.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::failure::quoted;
use crate::image::manifest::{Descriptor, INDEX};
use crate::image::name::Name;
use crate::image::store::Image;
use crate::state::store::lock_directory;
use crate::state::{open_directory, open_regular};

/// The annotation that has an image's name.
const NAME: &str = "org.opencontainers.image.ref.name";

/// In bytes. That is enough for ten thousands of images.
const LIMIT: u64 = 16 << 20;

/// What index.json contains. Whatever others have added to it stays.
#[derive(Serialize, Deserialize)]
pub struct Index {
    manifests: Vec<Value>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Index {
    /// Reads it. Before the first image, there is none.
    pub fn read(images: &Path) -> Result<Self> {
        let path = images.join("index.json");
        let read = || -> Result<Self> {
            let file = open_regular(&path, File::options().read(true))?;
            let mut text = Vec::new();
            file.take(LIMIT + 1).read_to_end(&mut text)?;
            ensure!(text.len() as u64 <= LIMIT, "it is too large");
            let parsed = serde_json::from_slice(&text);
            // The error may quote the file, which must not print a line of its own, such as a hint.
            parsed.map_err(|error| anyhow!(quoted(&error.to_string())))
        };
        if matches!(fs::symlink_metadata(&path), Err(error) if error.kind() == ErrorKind::NotFound)
        {
            return Ok(Self::empty());
        }
        let path = path.display();
        read().map_err(|error| {
            anyhow!("cannot read {path}: {error:#}\nhint: rm {path}, and pull the images again")
        })
    }

    fn empty() -> Self {
        let mut unknown = Map::new();
        unknown.insert("schemaVersion".to_owned(), json!(2));
        unknown.insert("mediaType".to_owned(), json!(INDEX));
        let manifests = Vec::new();
        Self { manifests, unknown }
    }

    // ANCHOR: change
    /// What `change` makes of it takes its place: all of it or, if that fails, nothing.
    pub fn change(images: &Path, change: impl FnOnce(&mut Self)) -> Result<()> {
        let _changing = lock_directory(images)?;
        let mut index = Self::read(images)?;
        change(&mut index);
        let text = serde_json::to_vec(&index).context("cannot serialize the index")?;
        ensure!(text.len() as u64 <= LIMIT, "there are too many images");
        replace(images, "index.json", &text)
    }
    // ANCHOR_END: change

    /// All images that we can read.
    pub fn images(&self) -> Vec<Image> {
        self.manifests.iter().filter_map(image).collect()
    }

    /// Whether there are entries of a kind that we do not know.
    pub fn has_others(&self) -> bool {
        self.images().len() < self.manifests.len()
    }

    /// Adds the image, or lets `name` mean it from now on.
    pub fn add(&mut self, name: Option<&Name>, descriptor: &Descriptor) {
        let mut descriptor = descriptor.clone();
        descriptor.annotations.remove(NAME);
        if let Some(name) = name {
            let name = name.canonical();
            descriptor.annotations.insert(NAME.to_owned(), name);
        }
        self.manifests.push(json!(descriptor));
    }

    /// Removes those images for which `gone` is true.
    pub fn remove(&mut self, gone: impl Fn(&Image) -> bool) {
        self.manifests
            .retain(|entry| !image(entry).is_some_and(|image| gone(&image)));
    }
}

fn image(entry: &Value) -> Option<Image> {
    let descriptor = Descriptor::deserialize(entry).ok()?;
    let name = descriptor.annotations.get(NAME);
    let name = name.and_then(|name| name.parse().ok());
    Some(Image { name, descriptor })
}

// ANCHOR: replace
/// Writes a file in `directory`, so that it is there as a whole, or as it was, even after a power failure.
pub fn replace(directory: &Path, name: &str, text: &[u8]) -> Result<()> {
    let (path, new) = (directory.join(name), directory.join(format!(".{name}")));
    // A killed process may have left it. We never write to an existing one: it could be a link.
    let _ = fs::remove_file(&new);
    let written = File::create_new(&new).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    let written = written.map_err(anyhow::Error::from);
    written
        .and_then(|()| Ok(open_directory(directory)?.sync_all()?))
        .with_context(|| format!("cannot write {}", path.display()))
}
// ANCHOR_END: replace
