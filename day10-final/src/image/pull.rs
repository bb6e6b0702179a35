//! `pull`: from a name to an image in the store.

mod progress;
mod resolve;

use anyhow::{Context, Result};

use crate::failure::{print, shown};
use crate::image::manifest::Document;
use crate::image::name::Name;
use crate::image::pull::progress::{Output, Target};
use crate::image::registry::Registry;

// ANCHOR: pull
/// `pull`: asks the registry for an image.
/// Prints what Docker prints. With `quiet`, only the name.
pub fn pull(name: &str, quiet: bool) -> Result<u8> {
    let cannot = || format!("cannot pull {}", shown(name));
    let name: Name = name.parse().with_context(cannot)?;
    let target = match quiet {
        true => Target::Nowhere,
        false => Target::Stdout,
    };
    let mut output = Output::to(target);
    complete(&name, &mut output).with_context(cannot)?;
    Ok(print(name.canonical()))
}

/// Asks the registry, and shows what it says.
fn complete(name: &Name, output: &mut Output) -> Result<()> {
    let registry = Registry::of(name)?;
    let answer = registry.manifest(&resolve::reference(name))?;
    let parts = match Document::read(&answer.bytes, answer.media_type.as_deref())? {
        Document::Index(index) => index,
        Document::Manifest(manifest) => manifest.layers,
    };
    for part in parts {
        output.line(&format!("{} {}", part.digest, shown(&part.media_type)));
    }
    output.line(&format!("Digest: {}", answer.digest));
    Ok(())
}
// ANCHOR_END: pull
