//! `prune`: removes what nobody needs any more.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::container::Status;
use crate::failure::{FAILED, warn};
use crate::record::Record;
use crate::store::{self, NoSuch};
use crate::{idmap, name};

const WARNING: &str = "WARNING! This will remove all stopped containers.\n\
    Are you sure you want to continue? [y/N] ";

// ANCHOR: prune
/// Removes the containers that have ended and, where there is none left, the default root filesystem, too: the next
/// run makes it anew.
///
/// Asks before, unless told to `force`.
pub fn prune(force: bool, state: &Path) -> Result<u8> {
    if !force && !is_confirmed()? {
        return Ok(0);
    }
    let (mut code, mut left) = (0, 0);
    let mut removed = Vec::new();
    for container in store::all(state)? {
        let ended = container.and_then(|container| match container.status {
            Status::Running => Ok(None),
            _ => Record::open(state, &container)?
                .remove()
                .map(|()| Some(container.id)),
        });
        match ended {
            Ok(Some(id)) => removed.push(id),
            Ok(None) => left += 1,
            // Somebody else was faster.
            Err(error) if error.is::<NoSuch>() => (),
            Err(error) => {
                warn(&error);
                left += 1;
                code = FAILED;
            }
        }
    }
    // Nobody is to begin a record meanwhile.
    let _all = store::lock(&state.join("containers"));
    name::remove_abandoned(state);
    if left == 0 {
        remove_the_rest(state)?;
    }
    if !removed.is_empty() {
        let ids: String = removed.iter().map(|id| format!("{id}\n")).collect();
        write!(io::stdout(), "Deleted Containers:\n{ids}").context("cannot print")?;
    }
    Ok(code)
}
// ANCHOR_END: prune

/// The caches, and the directories that are empty then.
fn remove_the_rest(state: &Path) -> Result<()> {
    let removed = fs::remove_dir(state.join("containers"));
    if removed.is_err_and(|error| error.kind() == ErrorKind::DirectoryNotEmpty) {
        // One is starting, and needs them.
        return Ok(());
    }
    let rootfs = state.join("rootfs");
    match rootfs.is_symlink() {
        true => fs::remove_file(&rootfs).context("cannot remove a link")?,
        false => idmap::remove(&rootfs)?,
    }
    for directory in ["names", ""] {
        // Not where there is anything else in it.
        let _ = fs::remove_dir(state.join(directory));
    }
    Ok(())
}

/// Whether the user says yes. Whoever cannot be asked does not.
fn is_confirmed() -> Result<bool> {
    write!(io::stdout(), "{WARNING}").context("cannot print")?;
    io::stdout().flush().context("cannot print")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
