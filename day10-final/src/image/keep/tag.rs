//! `tag`: another name for an image.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::failure::shown;
use crate::image::keep::NoSuch;
use crate::image::name::Name;
use crate::image::store::Store;

/// From now on, `target` means the image that `source` means. If it meant another one, that one loses this name.
pub fn tag(source: &str, target: &str, state: &Path) -> Result<u8> {
    let tagged = || -> Result<()> {
        let name: Name = target.parse()?;
        if name.digest.is_some() {
            bail!("a digest cannot be given: it follows from the content");
        }
        let store = Store::existing(state)?.ok_or(NoSuch)?;
        let image = store.find(source)?.ok_or(NoSuch)?;
        store.add(Some(&name), &image.descriptor)
    };
    let what = || format!("cannot tag {} as {}", shown(source), shown(target));
    tagged().with_context(what)?;
    Ok(0)
}
