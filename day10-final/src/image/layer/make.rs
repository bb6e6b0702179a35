//! An entry onto the disk.

use std::fs::{self, File};
use std::io::BufRead;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use nix::sys::stat::{Mode, mknod};

use crate::image::layer::archive::Archive;
use crate::image::layer::entry::{Entry, Kind};

// ANCHOR: make
/// Creates what `entry` describes. The content of a file comes from the `archive`.
pub fn make(into: &Path, entry: &Entry, archive: &mut Archive<impl BufRead>) -> Result<()> {
    let path = into.join(&entry.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match &entry.kind {
        Kind::File(size) => archive.copy(*size, &mut File::create(path)?),
        Kind::Directory => Ok(fs::create_dir_all(path)?),
        Kind::Link(target) => Ok(symlink(target, path)?),
        Kind::Hard(target) => Ok(fs::hard_link(into.join(target), path)?),
        Kind::Node(kind, device) => {
            let mode = Mode::from_bits_truncate(0o600);
            Ok(mknod(&path, *kind, mode, *device)?)
        }
    }
}
// ANCHOR_END: make
