//! `image prune`: removes images that nobody needs, and what a killed pull has left behind.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Error, Result};

use crate::cli::confirm::is_confirmed;
use crate::cli::images::Prune;
use crate::failure::{FAILED, print, warn};
use crate::image::keep::{Kept, all, users, uses};
use crate::image::store::Store;
use crate::image::store::collect::collect;
use crate::stats::size::of_data;

const NAMELESS: &str = "WARNING! This will remove all dangling images.";
const UNUSED: &str =
    "WARNING! This will remove all images without at least one container associated to them.";

/// Asks first, unless told not to.
pub fn prune(options: &Prune, state: &Path) -> Result<u8> {
    let warning = if options.all { UNUSED } else { NAMELESS };
    if !options.force && !is_confirmed(warning)? {
        return Ok(0);
    }
    let pruned = unused(options.all, state)?;
    let (report, freed) = (pruned.report, of_data(pruned.freed));
    let printed = print(format!("{report}Total reclaimed space: {freed}"));
    Ok(pruned.code.max(printed))
}

/// What [`unused`] has done.
pub struct Pruned {
    /// What to print about it.
    pub report: String,
    /// In bytes.
    pub freed: u64,
    pub code: u8,
}

impl Pruned {
    /// Nothing is gone. The user is told why.
    pub fn failed(why: Error) -> Self {
        warn(&why);
        Self {
            report: String::new(),
            freed: 0,
            code: FAILED,
        }
    }
}

// ANCHOR: unused
/// Removes the images that have neither a container nor a name or, if `named`, those that have no container.
pub fn unused(named: bool, state: &Path) -> Result<Pruned> {
    let (mut report, mut code) = (String::new(), 0);
    if let Some(store) = Store::existing(state)? {
        let users = users(state)?;
        let is_used = |image: &Kept| users.iter().any(|user| uses(user, &image.id));
        let mut images = all(&store)?;
        images.retain(|image| !is_used(image) && (named || image.names().next().is_none()));
        for image in images {
            let gone = store.remove(&image.entries);
            let gone =
                gone.with_context(|| format!("cannot remove the image {}", image.id.short()));
            let Ok(gone) = gone.inspect_err(warn) else {
                code = FAILED;
                continue;
            };
            // Unless somebody else was faster.
            for name in gone.iter().filter_map(|entry| entry.name.as_ref()) {
                let _ = writeln!(report, "untagged: {name}");
            }
            if !gone.is_empty() {
                let _ = writeln!(report, "deleted: {}", image.id);
            }
        }
    }
    let gone = collect(state)?;
    for layer in gone.layers {
        let _ = writeln!(report, "deleted: {layer}");
    }
    if !report.is_empty() {
        report = format!("Deleted Images:\n{report}\n");
    }
    Ok(Pruned {
        report,
        freed: gone.freed,
        code,
    })
}
// ANCHOR_END: unused
