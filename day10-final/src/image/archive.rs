//! Images in files: `load`, `save`, `import`, `export`.
//!
//! There are two forms of archives with images. Docker's own lists its images in manifest.json; the other one is a tar
//! archive of an OCI image layout, which lists them in index.json. Since version 25, Docker writes both at once.

pub mod describe;
pub mod export;
pub mod import;
pub mod input;
pub mod load;
pub mod output;
pub mod save;
pub mod unpack;

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::failure::warn;
use crate::image::digest::Digest;
use crate::image::store::{Store, collect};
use crate::namespaces::idmap;

/// How many bytes we write at once.
pub const BUFFER: usize = 128 * 1024;

/// Lists an archive's images, in Docker's form: see [`Listed`].
pub const MANIFEST_JSON: &str = "manifest.json";

/// Lists an archive's images, in the OCI form: it is an [index](crate::image::manifest).
pub const INDEX_JSON: &str = "index.json";

/// The directory of an OCI image layout with everything whose name is its digest.
pub const BLOBS: &str = "blobs/sha256/";

/// The annotations that name an image: completely, and its tag alone. The second one may be a complete name, too.
pub const IMAGE_NAME: &str = "io.containerd.image.name";
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image in a manifest.json: the paths of its files in the archive.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    pub config: String,
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    pub layers: Vec<String>,
}

/// The path of a blob in an archive.
pub fn path(digest: &Digest) -> String {
    BLOBS.to_owned() + &digest.hex()
}

/// Lets `work` add something to the store, in a process of its own (see [`idmap::inside`]). What that does not need any
/// more goes afterwards. If it fails or is interrupted, that is everything that it has begun.
pub fn add_to_store(state: &Path, work: impl FnOnce(&Store) -> Result<u8>) -> Result<u8> {
    let outcome = idmap::inside(|| work(&Store::open(state)?));
    let tidied = idmap::inside(|| {
        match outcome {
            Ok(0) => collect::after_pull(state)?,
            _ => collect::after_failure(state),
        }
        Ok(0)
    });
    tidied.map_or_else(|error| warn(&error), drop);
    outcome
}
