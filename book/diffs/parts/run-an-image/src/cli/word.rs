//! What the first word after `run` means: a command, or an image. For `parent`, and for `main` if there is `-d`.

use std::path::Path;

use anyhow::Result;

use crate::cli::RunOptions;
use crate::image::settings::Wanted;
use crate::image::store::{Image, Store};

impl RunOptions {
    // ANCHOR: image
    /// The image in the store that the first word means, or None if it is a command.
    pub fn image(&self, state: &Path) -> Result<Option<Wanted>> {
        let word = &self.command[0];
        let Some(store) = Store::existing(state)?.filter(|_| self.rootfs.is_none()) else {
            return Ok(None);
        };
        let image = named(&store, word)?;
        image
            .map(|image| Wanted::new(word, image, store))
            .transpose()
    }
    // ANCHOR_END: image
}

/// The image with this name.
fn named(store: &Store, word: &str) -> Result<Option<Image>> {
    let Ok(name) = word.parse() else {
        return Ok(None);
    };
    let mut images = store.images()?.into_iter();
    Ok(images.find(|image| image.is_called(&name)))
}
