//! `prune`: removes what nobody needs any more: records, caches, and the bridge. It asks each of these rooms to do so.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::container::Status;
use crate::failure::{FAILED, warn};
use crate::namespaces::idmap;
use crate::network::bridge;
use crate::state::record::Record;
use crate::state::store::{self, NoSuch};
use crate::state::{abandoned, name, paths, space};
use crate::stats::size;
use crate::{ps, state};

const WARNING: &str = "WARNING! This will remove all stopped containers.\n\
    Are you sure you want to continue? [y/N] ";

// ANCHOR: prune
/// Removes the containers that have ended and, if none is left, the default root filesystem, too: the next `run`
/// builds it again.
///
/// Asks first, unless told to `force`.
pub fn prune(force: bool, state: &Path) -> Result<u8> {
    if !force && !is_confirmed()? {
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
    // Meanwhile, nobody must begin a record.
    let _all = store::lock_directory(&state.join("containers"));
    name::remove_abandoned(state);
    freed += remove_the_rest(state)?;
    bridge::remove_unused().context("cannot remove the bridge")?;
    if !removed.is_empty() {
        removed = format!("Deleted Containers:\n{removed}\n");
    }
    let freed = size::of_data(freed);
    writeln!(io::stdout(), "{removed}Total reclaimed space: {freed}").context("cannot print")?;
    Ok(code)
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

/// Whether the user says yes. If nobody can be asked, the answer is no.
fn is_confirmed() -> Result<bool> {
    write!(io::stdout(), "{WARNING}").context("cannot print")?;
    io::stdout().flush().context("cannot print")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
