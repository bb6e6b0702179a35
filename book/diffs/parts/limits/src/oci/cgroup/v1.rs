//! Limits in version 1: each controller has a directory of its own. The kernel's admin-guide/cgroup-v1.

pub mod cpu;
pub mod cpuset;
pub mod memory;

use anyhow::{Result, ensure};
use oci_spec::runtime::LinuxResources;

use crate::oci::cgroup::{Groups, both, file};

/// Writes all limits in `resources`, but not the rules for devices. A value of 0 means "leave it as it is".
pub fn set(groups: &Groups, resources: &LinuxResources) -> Result<()> {
    let unified = resources
        .unified()
        .as_ref()
        .is_none_or(|unified| unified.is_empty());
    ensure!(
        unified,
        "invalid configuration: linux.resources.unified needs cgroup v2, and this host has \
         cgroup v1"
    );
    if let Some(cpu) = resources.cpu() {
        cpuset::set(groups, cpu)?;
    }
    if let Some(memory) = resources.memory() {
        memory::set(groups, memory)?;
    }
    if let Some(cpu) = resources.cpu() {
        cpu::set(groups, cpu)?;
    }
    if let Some(pids) = resources.pids() {
        file::set(
            groups.need("pids")?,
            "pids.limit",
            "pids.max",
            both::pids_max(pids.limit()),
        )?;
    }
    Ok(())
}
