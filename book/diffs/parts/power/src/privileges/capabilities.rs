//! The parts into which root's power is divided, and which of them a container has: capabilities(7).

use anyhow::{Context, Result};
use caps::{CapSet, Capability, CapsHashSet};

// ANCHOR: default
/// Docker's choice: what packages need in order to install, and servers in order to start. 14 of 41.
const DEFAULT: [Capability; 14] = [
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
];
// ANCHOR_END: default

const ALL: &str = "ALL";

/// The name of a capability as in the kernel's headers (CAP_NET_RAW for "net_raw"), or ALL.
pub fn name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase();
    let name = match name.starts_with("CAP_") || name == ALL {
        true => name,
        false => format!("CAP_{name}"),
    };
    match name == ALL || name.parse::<Capability>().is_ok() {
        true => Ok(name),
        false => Err("no such capability\nhint: man 7 capabilities lists them".to_owned()),
    }
}

// ANCHOR: granted
/// The capabilities that a container has after `--cap-add` and `--cap-drop`, by Docker's rules.
pub fn granted(add: &[String], drop: &[String]) -> Vec<Capability> {
    let has = |names: &[String], name: &str| names.iter().any(|other| other == name);
    let may_have = |capability: &Capability| {
        let name = capability.to_string();
        if has(add, ALL) {
            return !has(drop, &name);
        }
        let by_default = DEFAULT.contains(capability) && !has(drop, ALL) && !has(drop, &name);
        by_default || has(add, &name)
    };
    let mut granted: Vec<_> = caps::all().into_iter().filter(may_have).collect();
    granted.sort_by_key(Capability::index);
    granted
}
// ANCHOR_END: granted

// ANCHOR: limit
/// From now on, nothing that this process or its descendants execute can have more than `granted`.
pub fn limit(granted: &CapsHashSet) -> Result<()> {
    let cannot = "cannot drop capabilities";
    let bounding = caps::read(None, CapSet::Bounding).context(cannot)?;
    let mut others: Vec<_> = bounding.difference(granted).copied().collect();
    others.sort_by_key(Capability::index);
    for capability in others {
        caps::drop(None, CapSet::Bounding, capability).context(cannot)?;
    }
    Ok(())
}

/// Gives up the rest right now. The order of the sets matters: the effective set cannot exceed the permitted one.
pub fn keep_only(granted: &CapsHashSet) -> Result<()> {
    let cannot = "cannot drop capabilities";
    caps::clear(None, CapSet::Ambient).context(cannot)?;
    caps::clear(None, CapSet::Inheritable).context(cannot)?;
    let permitted = caps::read(None, CapSet::Permitted).context(cannot)?;
    let kept = &permitted & granted;
    caps::set(None, CapSet::Effective, &kept).context(cannot)?;
    caps::set(None, CapSet::Permitted, &kept).context(cannot)
}
// ANCHOR_END: limit
