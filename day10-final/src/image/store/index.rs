//! index.json: which images there are, and what they are called. The image specification, image-layout.md.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::state::open_directory;

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
