//! `process.capabilities`: the five sets of capabilities(7), for the crate `caps`.

use anyhow::{Context, Result};
use caps::{CapSet, CapsHashSet};
use oci_spec::runtime::{Capabilities, LinuxCapabilities, Process};

use crate::oci::channel::News;
use crate::privileges::capabilities;

const CANNOT: &str = "process.capabilities: cannot set them";

// ANCHOR: sets
/// From now on, nothing that is executed can have more than this.
pub fn bound(process: &Process) -> Result<()> {
    capabilities::limit(&set(process, LinuxCapabilities::bounding))
}

/// The other sets. They can have no more than what is permitted by now.
pub fn apply(process: &Process, mut tell: impl FnMut(News) -> Result<()>) -> Result<()> {
    let kept = |which: Which| -> Result<CapsHashSet> {
        let permitted = caps::read(None, CapSet::Permitted).context(CANNOT)?;
        Ok(&permitted & &set(process, which))
    };
    let inheritable = kept(LinuxCapabilities::inheritable)?;
    caps::set(None, CapSet::Inheritable, &inheritable).context(CANNOT)?;
    let effective = kept(LinuxCapabilities::effective)?;
    let permitted = kept(LinuxCapabilities::permitted)?;
    caps::set(None, CapSet::Effective, &effective).context(CANNOT)?;
    caps::set(None, CapSet::Permitted, &permitted).context(CANNOT)?;
    caps::clear(None, CapSet::Ambient).context(CANNOT)?;
    let mut refused: Vec<_> = set(process, LinuxCapabilities::ambient)
        .into_iter()
        .collect();
    refused.retain(|ambient| caps::raise(None, CapSet::Ambient, *ambient).is_err());
    if refused.is_empty() {
        return Ok(());
    }
    // As runc: those that cannot be raised are left out. buildah asks for many, all of them in vain.
    let mut names: Vec<_> = refused.iter().map(ToString::to_string).collect();
    names.sort();
    let names = names.join(", ");
    let text = format!("can't raise ambient capability {names}: not inheritable");
    tell(News::Warned(text))
}
// ANCHOR_END: sets

/// One of the sets.
type Which = fn(&LinuxCapabilities) -> &Option<Capabilities>;

fn set(process: &Process, which: Which) -> CapsHashSet {
    // What is not granted is not there.
    let sets = process.capabilities().as_ref();
    let names = sets.and_then(|sets| which(sets).as_ref());
    names.into_iter().flatten().filter_map(known).collect()
}

/// The crates for JSON and for system calls have names of their own. They agree on those in config.json.
fn known(capability: &oci_spec::runtime::Capability) -> Option<caps::Capability> {
    serde_json::to_value(capability)
        .ok()?
        .as_str()?
        .parse()
        .ok()
}
