//! Limits in version 1: each controller has a directory of its own. The kernel's admin-guide/cgroup-v1.

pub mod blkio;
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
    if let Some(block_io) = resources.block_io() {
        blkio::set(groups, block_io)?;
    }
    both::huge_pages(groups, resources, "limit_in_bytes")?;
    network(groups, resources)?;
    both::rdma(groups, resources)
}

// ANCHOR: network
/// The mark of the container's packets for tc(8), and their priority on each interface.
fn network(groups: &Groups, resources: &LinuxResources) -> Result<()> {
    let Some(network) = resources.network() else {
        return Ok(());
    };
    if let Some(class) = network.class_id().filter(|class| *class != 0) {
        file::set(
            groups.need("net_cls")?,
            "network.classID",
            "net_cls.classid",
            class,
        )?;
    }
    for priority in network.priorities().iter().flatten() {
        let value = format!("{} {}", priority.name(), priority.priority());
        let (field, file) = ("network.priorities", "net_prio.ifpriomap");
        file::set(groups.need("net_prio")?, field, file, value)?;
    }
    Ok(())
}
// ANCHOR_END: network
