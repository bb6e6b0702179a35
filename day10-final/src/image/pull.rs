//! `pull`: from a name to an image in the store.

mod body;
mod fetch;
mod progress;
mod resolve;

use anyhow::{Context, Result};

use crate::failure::{print, shown};
use crate::image::manifest::Config;
use crate::image::name::Name;
use crate::image::pull::progress::{Output, Target};
use crate::image::pull::resolve::resolve;
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
    let resolved = resolve(&registry, name)?;
    let reference = resolve::reference(name);
    output.line(&format!("{reference}: Pulling from {}", name.repository));
    let config = fetch::small(&registry, &resolved.manifest.config)?;
    Config::read(&config, &resolved.manifest)?;
    for layer in &resolved.manifest.layers {
        output.line(&format!("{}: {} bytes", layer.digest, layer.size));
    }
    output.line(&format!("Digest: {}", resolved.descriptor.digest));
    Ok(())
}
// ANCHOR_END: pull
