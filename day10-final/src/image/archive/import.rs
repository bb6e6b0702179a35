//! `import`: a root filesystem in a tar archive becomes an image of one layer.

pub mod instruction;
pub mod words;

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::cli::images::archives::Import;
use crate::container::now;
use crate::failure::{print, shown};
use crate::image::archive::describe::{self, describe};
use crate::image::archive::{add_to_store, input, unpack};
use crate::image::digest::{Digest, Hashing};
use crate::image::manifest::Settings;
use crate::image::manifest::{ARCHITECTURE, CONFIG, Config, Descriptor, LAYER, Manifest, OS};
use crate::image::name::Name;
use crate::image::store::Store;
use crate::image::store::spool::{Spool, Spooled};

/// Makes an image, and prints its id.
pub fn import(options: &Import, state: &Path) -> Result<u8> {
    let from = options.file.to_string_lossy();
    let cannot = || format!("cannot import {}", shown(&from));
    let mut settings = Settings::default();
    for change in &options.change {
        instruction::apply(&mut settings, change)?;
    }
    settings.check()?;
    let name = options.name.as_deref().map(named).transpose()?;
    let file = Some(&*options.file).filter(|file| *file != Path::new("-"));
    let archive = input::open(file, "import -").with_context(cannot)?;
    let comment = options.message.clone();
    let comment = comment.unwrap_or_else(|| format!("Imported from {from}"));
    add_to_store(state, |store| {
        let id = add(archive, &settings, &comment, name.as_ref(), store);
        Ok(print(id.with_context(cannot)?))
    })
}

fn named(text: &str) -> Result<Name> {
    let name: Name = text.parse()?;
    ensure!(name.digest.is_none(), "a new image's name has no digest");
    Ok(name)
}

// ANCHOR: add
/// Adds the image, and returns its id.
fn add(
    mut archive: File,
    settings: &Settings,
    comment: &str,
    name: Option<&Name>,
    store: &Store,
) -> Result<Digest> {
    let mut file = Spool::new(store)?;
    io::copy(&mut archive, &mut file)?;
    let layer = file.finish();
    ensure!(layer.size > 0, "it is empty");
    let described = describe::layer(&layer).map_err(input::explained)?;
    let created = now();
    let config = json!({
        "created": created,
        "architecture": ARCHITECTURE,
        "os": OS,
        "config": said(settings),
        "rootfs": {"type": "layers", "diff_ids": [diff_id(&layer, &described)?]},
        "history": [{"created": created, "comment": comment}],
    });
    let config = config.to_string();
    let id = Digest::of(config.as_bytes());
    let manifest = Manifest {
        config: describe(CONFIG, id, config.len() as u64),
        layers: vec![described],
    };
    let read = Config::read(config.as_bytes(), &manifest)?;
    unpack::layers(store, &manifest, &read, |_| layer.open())?;
    store.sync()?;
    layer.keep()?;
    store.write_blob(config.as_bytes())?;
    let (descriptor, manifest) = describe::manifest(&manifest);
    store.write_blob(&manifest)?;
    store.add(name, &descriptor)?;
    Ok(id)
}
// ANCHOR_END: add

/// The digest of what is in the `layer`.
fn diff_id(layer: &Spooled, described: &Descriptor) -> Result<Digest> {
    if described.media_type == LAYER {
        return Ok(layer.digest);
    }
    let mut content = Hashing::new(input::decompress(layer.open()?)?);
    io::copy(&mut content, &mut io::sink())?;
    Ok(content.digest())
}

/// The `settings` without those that say nothing.
fn said(settings: &Settings) -> Value {
    let mut settings = json!(settings);
    if let Value::Object(fields) = &mut settings {
        fields.retain(|_, value| !value.is_null());
    }
    settings
}
