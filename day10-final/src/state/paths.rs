//! Where the files of a container are, below the state directory. They come from its id, and never from its record.
//!
//! Everything else in this room asks here, and so do the commands that open such a file.

use std::path::{Path, PathBuf};

use crate::state::id::Id;

/// Where the record of the container `id` is.
pub fn directory(state: &Path, id: &Id) -> PathBuf {
    state.join("containers").join(id.to_string())
}

/// Where a record is while it is being created or removed: commands do not look at hidden directories.
pub fn hidden(directory: &Path) -> PathBuf {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    directory.with_file_name(format!(".{}", name.trim_start_matches('.')))
}

/// Whether there is anything of the container `id`: it may be starting, or half removed.
pub fn exists(state: &Path, id: &Id) -> bool {
    let directory = directory(state, id);
    hidden(&directory).exists() || directory.exists()
}

/// The file that is locked by whoever may write to the record of the container `id`.
pub fn lock(state: &Path, id: &Id) -> PathBuf {
    directory(state, id).join("lock")
}

/// Where the output of the container `id` goes, if it is in the background.
pub fn log(state: &Path, id: &Id) -> PathBuf {
    directory(state, id).join("container.log")
}

/// Where the files for the /etc of the container `id` are.
pub fn etc(state: &Path, id: &Id) -> PathBuf {
    directory(state, id).join("etc")
}

/// Where the layer of the container `id` is.
pub fn layer(state: &Path, id: &Id) -> PathBuf {
    directory(state, id).join("layer")
}
