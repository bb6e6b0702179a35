//! `process.capabilities`: the five sets of capabilities(7), for the crate `caps`.

use anyhow::{Context, Result};
use caps::{CapSet, Capability, CapsHashSet};
use oci_spec::runtime::{Capabilities, LinuxCapabilities, Process, Spec};

use crate::oci::channel::News;
use crate::privileges::capabilities;

const CANNOT: &str = "process.capabilities: cannot set them";

// ANCHOR: reduce
/// What [`crate::oci::process::limit`] and the console take. Over files: the user's own may be closed to others.
const NEEDED: [Capability; 8] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
    Capability::CAP_SYS_NICE,
];

/// Gives up what is neither granted nor needed any more. For a process that joins a container: whoever may trace it there
/// can do all that it may.
pub fn reduce(process: &Process, spec: &Spec) -> Result<()> {
    capabilities::keep_only(&kept(process, spec))
}

fn kept(process: &Process, spec: &Spec) -> CapsHashSet {
    // A set can only have what is permitted when it is set.
    let sets: [Which; 4] = [
        LinuxCapabilities::permitted,
        LinuxCapabilities::effective,
        LinuxCapabilities::inheritable,
        LinuxCapabilities::ambient,
    ];
    let sets = sets.into_iter().flat_map(|which| set(process, which));
    let mut kept: CapsHashSet = sets.chain(NEEDED).collect();
    let linux = spec.linux().as_ref();
    let filter = linux.is_some_and(|linux| linux.seccomp().is_some());
    if filter && process.no_new_privileges() != Some(true) {
        // To load the filter.
        kept.insert(Capability::CAP_SYS_ADMIN);
    }
    kept
}
// ANCHOR_END: reduce

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exec_brings_little_into_a_container() {
        let process = |no_new_privileges: bool| -> Process {
            let process = json!({
                "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": no_new_privileges,
                "capabilities": {"inheritable": ["CAP_NET_ADMIN"]},
            });
            serde_json::from_value(process).unwrap()
        };
        let filter = json!({
            "ociVersion": "1.2.1", "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}},
        });
        let filter: Spec = serde_json::from_value(filter).unwrap();
        let kept = |strict, filter: &Spec| {
            let kept = kept(&process(strict), filter);
            assert!(kept.contains(&Capability::CAP_NET_ADMIN));
            assert!(!kept.contains(&Capability::CAP_DAC_READ_SEARCH));
            assert!(!kept.contains(&Capability::CAP_SYS_MODULE));
            kept.contains(&Capability::CAP_SYS_ADMIN)
        };
        assert!(!kept(true, &filter));
        assert!(!kept(false, &Spec::default()));
        assert!(kept(false, &filter));
    }
}
