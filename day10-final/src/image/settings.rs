//! What an image says about its containers, put together with what the user has typed. For `run`. The image
//! specification, config.md.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::container::origin::Origin;
use crate::failure::shown;
use crate::image::store::{Image, Store, Whole};

/// What `ps` shows: the name, as long as it means this image, and otherwise the id.
pub fn shown_as(origin: &Origin, state: &Path) -> String {
    let is_it = |store: &Store| {
        let image = store.find(&origin.name)?.context("no such image")?;
        anyhow::Ok(store.id(&image)? == origin.id)
    };
    match Store::glance(state) {
        Ok(Some(store)) if is_it(&store).is_ok_and(|is_it| is_it) => origin.name.clone(),
        Ok(_) => origin.id.short(),
        // Somebody is removing images right now. That may take a while.
        Err(_) => origin.name.clone(),
    }
}

/// An image that is about to be run. While this exists, nobody removes it.
pub struct Wanted {
    pub origin: Origin,
    /// The uppermost of its layers.
    pub rootfs: PathBuf,
    _store: Store,
}

impl Wanted {
    /// `name` is what the user has typed.
    pub fn new(name: &str, image: Image, store: Store) -> Result<Self> {
        let cannot = || format!("cannot run {}", shown(name));
        let Whole {
            manifest, config, ..
        } = store.whole(&image).with_context(cannot)?;
        let mut layers = config.chain();
        if layers.is_empty() {
            layers.push(store.empty_layer().with_context(cannot)?);
        }
        let top = layers.last().and_then(|top| store.layer(top));
        let rootfs = top.context("a layer is missing").with_context(cannot)?;
        let origin = Origin {
            name: name.to_owned(),
            id: manifest.config.digest,
            layers,
        };
        Ok(Self {
            origin,
            rootfs,
            _store: store,
        })
    }
}
