//! `prune`: removes what nobody needs any more: records, images, caches, and the bridge. It asks each of these rooms to do so.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::confirm::is_confirmed;
use crate::cli::images::Prune;
use crate::container::Status;
use crate::failure::{FAILED, warn};
use crate::image::keep::prune::{self as images, Pruned};
use crate::namespaces::idmap;
use crate::network::bridge;
use crate::state::record::Record;
use crate::state::store::{self, NoSuch};
use crate::state::{abandoned, name, paths, space};
use crate::stats::size;
use crate::{ps, state};

const WARNING: &str = "WARNING! This will remove:
  - all stopped containers
  - all dangling images
";
const ALL_IMAGES: &str = "WARNING! This will remove:
  - all stopped containers
  - all images without at least one container associated to them
";

// ANCHOR: prune
/// Removes the containers that have ended and, if none is left, the default root filesystem, too: the next `run`
/// builds it again. Then images without a name or, if told to, all that have no container.
///
/// Asks first, unless told not to.
pub fn prune(options: &Prune, state: &Path) -> Result<u8> {
    let warning = if options.all { ALL_IMAGES } else { WARNING };
    if !options.force && !is_confirmed(warning)? {
        return Ok(0);
    }
    abandoned::remove(state);
    let unreadable = store::all(state)?.iter().any(Result::is_err);
    let (mut code, mut freed) = (if unreadable { FAILED } else { 0 }, 0);
    let mut removed = String::new();
    let containers = ps::listed(true, state)?.into_iter();
    for container in containers.filter(|container| container.status != Status::Running) {
        let bytes = space::of(&paths::directory(state, &container.id));
        match Record::open(state, &container).and_then(|mut record| record.remove()) {
            Ok(()) => {
                removed += &format!("{}\n", container.id);
                freed += bytes;
            }
            // Somebody else was faster.
            Err(error) if error.is::<NoSuch>() => (),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    let images = images::unused(options.all, state).unwrap_or_else(Pruned::failed);
    // Meanwhile, nobody must begin a record.
    let _all = store::lock_directory(&state.join("containers"));
    name::remove_abandoned(state);
    freed += images.freed + remove_the_rest(state)?;
    bridge::remove_unused().context("cannot remove the bridge")?;
    if !removed.is_empty() {
        removed = format!("Deleted Containers:\n{removed}\n");
    }
    removed += &images.report;
    let freed = size::of_data(freed);
    writeln!(io::stdout(), "{removed}Total reclaimed space: {freed}").context("cannot print")?;
    Ok(code.max(images.code))
}
// ANCHOR_END: prune

/// Removes the caches, and then the directories that are empty. Returns how many bytes that was.
fn remove_the_rest(state: &Path) -> Result<u64> {
    let removed = fs::remove_dir(state.join("containers"));
    if removed.is_err_and(|error| error.kind() == ErrorKind::DirectoryNotEmpty) {
        // Other containers need them, or one is starting.
        return Ok(0);
    }
    let mut freed = 0;
    for rootfs in ["rootfs/default", "rootfs/default.unfinished"].map(|name| state.join(name)) {
        if rootfs.exists() {
            freed += space::of(&rootfs);
            idmap::remove(&rootfs)?;
        }
    }
    for directory in ["rootfs", "names"] {
        // If there is anything else in it, it stays.
        let _ = fs::remove_dir(state.join(directory));
    }
    state::remove(state);
    Ok(freed)
}
