//! `pull`: from a name to an image in the store.
//!
//! In this room, [`resolve`] finds the manifest, and [`plan`] what the store needs. [`together`] lets [`fetch`] and
//! [`unpack`] do that side by side: [`board`] is what they know of each other, and [`progress`] shows it. [`body`] is
//! what a registry sends.

mod board;
mod body;
mod fetch;
mod plan;
mod progress;
mod resolve;
mod together;
mod unpack;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::failure::{print, shown, warn};
use crate::image::digest::Digest;
use crate::image::manifest::Config;
use crate::image::name::Name;
use crate::image::pull::board::Job;
use crate::image::pull::fetch::Broken;
use crate::image::pull::plan::plan;
use crate::image::pull::progress::{Output, Target};
use crate::image::pull::resolve::{Resolved, resolve};
use crate::image::registry::Registry;
use crate::image::store::blob::make_old;
use crate::image::store::{Store, collect};
use crate::namespaces::idmap;

// ANCHOR: pull
/// `pull`: in a process of its own, as root of the caller's ids (see [`crate::namespaces::idmap`]).
/// Prints what Docker prints. With `quiet`, only the name.
pub fn pull(name: &str, quiet: bool, state: &Path) -> Result<u8> {
    let cannot = || format!("cannot pull {}", shown(name));
    let name: Name = name.parse().with_context(cannot)?;
    let target = match quiet {
        true => Target::Nowhere,
        false => Target::Stdout,
    };
    match download(&name, target, state).with_context(cannot)? {
        0 => Ok(print(name.canonical())),
        code => Ok(code),
    }
}

/// For `run`: the same, with everything on stderr. Its error is the pull's.
pub fn for_run(name: &Name, quiet: bool, state: &Path) -> Result<()> {
    let target = match quiet {
        true => Target::Nowhere,
        false => Target::Stderr,
    };
    match download(name, target, state) {
        Ok(0) => Ok(()),
        Ok(_) => bail!("cannot pull {name}: interrupted by a signal"),
        Err(error) => Err(error).with_context(|| format!("cannot pull {name}")),
    }
}

/// Returns an exit code: not 0 if a signal has ended it.
fn download(name: &Name, target: Target, state: &Path) -> Result<u8> {
    let outcome = idmap::inside(|| {
        let mut output = Output::to(target);
        let store = Store::open(state)?;
        let store = complete(name, store, &mut output)?;
        // Nothing is collected while somebody uses the store, even if that is us.
        drop(store);
        collect::after_pull(state).unwrap_or_else(|error| warn(&error));
        Ok(0)
    });
    if !matches!(outcome, Ok(0)) {
        // What it has left is nobody's now.
        let _ = idmap::inside(|| {
            collect::after_failure(state);
            Ok(0)
        });
    }
    outcome
}

/// Fetches what the store does not have yet.
fn complete(name: &Name, store: Store, output: &mut Output) -> Result<Store> {
    let registry = Registry::of(name)?;
    let resolved = resolve(&registry, &store, name)?;
    let reference = resolve::reference(name);
    output.line(&format!("{reference}: Pulling from {}", name.repository));
    let images = store.directory.clone();
    let completed = fill(name, store, registry, &resolved, output);
    if let Err(error) = &completed
        && !error.is::<Broken>()
    {
        // The image cannot be right, or the disk is full. So nothing of it stays.
        let parts = resolved.manifest.layers.iter();
        for part in parts.chain([&resolved.manifest.config]) {
            make_old(&images, &part.digest);
        }
        for document in &resolved.documents {
            make_old(&images, &Digest::of(document));
        }
    }
    let (store, is_new) = completed?;
    output.line(&format!("Digest: {}", resolved.descriptor.digest));
    output.line(&match is_new {
        true => format!("Status: Downloaded newer image for {name}"),
        false => format!("Status: Image is up to date for {name}"),
    });
    Ok(store)
}

/// Returns whether `name` means another image than before.
fn fill(
    name: &Name,
    store: Store,
    registry: Registry,
    resolved: &Resolved,
    output: &mut Output,
) -> Result<(Store, bool)> {
    let Resolved {
        descriptor,
        documents,
        manifest,
    } = resolved;
    let config = fetch::small(&store, &registry, &manifest.config)?;
    let board = plan(&store, manifest, &Config::read(&config, manifest)?)?;
    let job = Job {
        store,
        registry,
        board,
    };
    let store = together::run(job, output)?;
    for bytes in documents {
        store.write_blob(bytes)?;
    }
    let images = store.images()?;
    let before = images.iter().find(|image| image.is_called(name));
    let is_new = before.is_none_or(|before| before.descriptor.digest != descriptor.digest);
    if is_new {
        store.add(Some(name), descriptor)?;
    }
    Ok((store, is_new))
}
// ANCHOR_END: pull
