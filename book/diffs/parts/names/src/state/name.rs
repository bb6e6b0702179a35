//! Names for containers, as links to their ids: names/NAME -> ID in the state directory. symlink(2).
//!
//! It knows where records are, but reads none. [`crate::state::store`] finds a container by its name here.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::state::create_private;
use crate::state::id::Id;
use crate::state::paths;

const HOW: [&str; 32] = [
    "amber", "bold", "brave", "bright", "calm", "clear", "coral", "curious", "deep", "eager",
    "early", "fair", "gentle", "happy", "humble", "keen", "kind", "lively", "lucky", "merry",
    "nimble", "patient", "proud", "quick", "quiet", "rapid", "silver", "steady", "sunny", "swift",
    "tidy", "wise",
];

const WHO: [&str; 32] = [
    "auk", "beluga", "bonito", "clam", "cod", "crab", "dolphin", "eel", "gannet", "gull", "hake",
    "heron", "herring", "krill", "limpet", "lobster", "marlin", "mussel", "narwhal", "octopus",
    "orca", "otter", "oyster", "petrel", "puffin", "ray", "seal", "shrimp", "squid", "tern",
    "tuna", "urchin",
];

/// Returns `name` if a container can have it, by Docker's rules.
pub fn check(name: &str) -> Result<String, String> {
    let first = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    match first && name.len() > 1 && name.chars().all(legal) {
        true if name.len() > 64 => Err("it has more than 64 characters".to_owned()),
        true => Ok(name.to_owned()),
        false => Err(
            "expected two or more letters, digits, '_', '.' or '-', starting with a letter or digit".to_owned(),
        ),
    }
}

// ANCHOR: reserve
/// Gives the container `id` the name that is `asked` for, or a random one if that is empty.
///
/// The kernel creates a link only if nothing has that name yet. The caller has locked the containers.
pub fn reserve(state: &Path, asked: &str, id: &Id) -> Result<String> {
    create_private(state, "names")?;
    let mut attempt = 0;
    loop {
        let name = match asked {
            "" => draw(attempt)?,
            _ => asked.to_owned(),
        };
        let link = link(state, &name);
        match symlink(id.to_string(), &link) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match find(state, &name) {
                // Its container is gone, and the process that should have removed the link was killed.
                Some(old) if !paths::exists(state, &old) => {
                    fs::remove_file(&link).context("cannot remove a stale name")?
                }
                Some(other) if asked == name => {
                    bail!(
                        "the name {name} is already in use by {other}\nhint: tiny-docker rm {name}"
                    )
                }
                None if asked == name => bail!("{} is not a link to an id", link.display()),
                _ => attempt += 1,
            },
            made => {
                made.with_context(|| format!("cannot create {}", link.display()))?;
                return Ok(name);
            }
        }
    }
}
// ANCHOR_END: reserve

/// A random name. The first few attempts have the short ones, which are likely to be free.
fn draw(attempt: u32) -> Result<String> {
    let random = usize::from_str_radix(&Id::new()?.to_string(), 16)?;
    let (how, random) = (HOW[random % HOW.len()], random / HOW.len());
    let (who, random) = (WHO[random % WHO.len()], random / WHO.len());
    match attempt {
        0..5 => Ok(format!("{how}_{who}")),
        _ => Ok(format!("{how}_{who}{}", random % 10_000)),
    }
}

/// The id of the container that is called `name`.
pub fn find(state: &Path, name: &str) -> Option<Id> {
    // It becomes part of a path.
    check(name).ok()?;
    let target = fs::read_link(link(state, name)).ok()?;
    target.to_str().and_then(Id::parse)
}

/// Gives up the `name` of the container `id`.
pub fn release(state: &Path, name: &str, id: &Id) {
    if find(state, name).as_ref() == Some(id) {
        let _ = fs::remove_file(link(state, name));
    }
}

/// Removes the links that no longer lead to a container. Nothing else in there is ours.
pub fn remove_abandoned(state: &Path) {
    let names = fs::read_dir(state.join("names"));
    for entry in names.into_iter().flatten().flatten() {
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| find(state, name));
        if id.is_some_and(|id| !paths::exists(state, &id)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn link(state: &Path, name: &str) -> PathBuf {
    state.join("names").join(name)
}
