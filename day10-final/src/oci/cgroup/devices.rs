//! Which devices the container may use: `linux.resources.devices`. The kernel's cgroup-v1/devices.rst, and "Device
//! controller" in cgroup-v2.rst.
//!
//! Version 1 has a file with exceptions from "all" or "none". Version 2 asks a small program that we write. So that both do
//! the same, we work out the exceptions first, for both.

pub mod attach;
pub mod instruction;
pub mod policy;
pub mod program;
pub mod v1;

use anyhow::{Result, anyhow};
use oci_spec::runtime::LinuxDeviceCgroup;

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::devices::policy::Policy;
use crate::oci::namespaces::in_user_namespace;

/// Puts the `rules` into force, and after them those that every container has. The last rule that fits counts.
///
/// Not in a user namespace: there, the kernel lets nobody do that, and does not allow devices to be created either. An
/// ordinary user's container goes without them if the kernel refuses. Fails if a rule cannot be put into force.
pub fn apply(groups: &Groups, rules: &[LinuxDeviceCgroup]) -> Result<()> {
    let policy = Policy::of(rules)?;
    if in_user_namespace() {
        return Ok(());
    }
    let applied = match (groups.paths.get("devices"), groups.paths.get("")) {
        (Some(group), _) => v1::apply(group, &policy),
        // Also on a hybrid host that has no such controller of version 1.
        (None, Some(group)) => attach::attach(group, &program::assemble(&policy)?),
        (None, None) if groups.rootless => Ok(()),
        (None, None) => Err(anyhow!(
            "this host has neither the devices controller of cgroup v1, nor cgroup v2"
        )),
    };
    if groups.rootless { Ok(()) } else { applied }
}
