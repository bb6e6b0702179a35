//! The image that a container was made from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::image::digest::Digest;

/// What a container's record keeps of its image.
#[derive(Clone, Serialize, Deserialize)]
pub struct Origin {
    /// As the user typed it: for `ps`.
    pub name: String,
    /// Of the configuration: Docker's image id.
    pub id: Digest,
    /// The chain ids of its layers, from the bottom: directories in images/layers.
    pub layers: Vec<Digest>,
}

impl Origin {
    /// The uppermost of its layers, below the directory `state`. The others are beside it.
    pub fn rootfs(&self, state: &Path) -> PathBuf {
        let top = self.layers.last().map(Digest::hex);
        state.join("images/layers").join(top.unwrap_or_default())
    }
}
