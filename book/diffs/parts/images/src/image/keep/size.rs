//! How large layers are, unpacked. To find out, each of a layer's files has to be looked at, and there may be 30,000. So
//! whoever measures it first writes it down: images/sizes/HEX.

use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Result;

use crate::image::digest::Digest;
use crate::image::store::Store;
use crate::namespaces::idmap;
use crate::state::{open_regular, space};

/// Measures the layers that nobody has measured yet. That may take the rights of a container's users, which another
/// process has.
pub fn measure<'a>(store: &Store, layers: impl IntoIterator<Item = &'a Digest>) -> Result<()> {
    let mut new = layers.into_iter().collect::<Vec<_>>();
    new.retain(|layer| written(store, layer).is_none());
    if new.is_empty() {
        return Ok(());
    }
    idmap::inside(|| {
        for layer in new {
            of_layer(store, layer);
        }
        Ok(0)
    })
    .map(drop)
}

/// Of all `layers` together.
pub fn of<'a>(store: &Store, layers: impl IntoIterator<Item = &'a Digest>) -> u64 {
    let sizes = layers.into_iter().map(|layer| of_layer(store, layer));
    sizes.fold(0, u64::saturating_add)
}

// ANCHOR: of_layer
/// In bytes. A layer never changes, so what has been measured once stays true.
pub fn of_layer(store: &Store, layer: &Digest) -> u64 {
    if let Some(size) = written(store, layer) {
        return size;
    }
    let Some(directory) = store.layer(layer) else {
        return 0;
    };
    let size = space::of(&directory);
    // On a disk that is full, it will be measured again.
    let _ = write(&path(store, layer), size);
    size
}
// ANCHOR_END: of_layer

fn written(store: &Store, layer: &Digest) -> Option<u64> {
    let file = open_regular(&path(store, layer), File::options().read(true)).ok()?;
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.strip_suffix('\n')?.parse().ok()
}

/// Others may be reading it, or writing the same.
fn write(path: &Path, size: u64) -> Result<()> {
    let new = path.with_extension(process::id().to_string());
    let mut builder = DirBuilder::new();
    let directory = path.parent().unwrap_or(path);
    builder.recursive(true).mode(0o700).create(directory)?;
    let _ = fs::remove_file(&new);
    let written = File::create_new(&new).and_then(|mut file| {
        file.write_all(format!("{size}\n").as_bytes())?;
        fs::rename(&new, path)
    });
    written.inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    Ok(())
}

fn path(store: &Store, layer: &Digest) -> PathBuf {
    store.directory.join("sizes").join(layer.hex())
}
