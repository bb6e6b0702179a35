//! `linux.resources.memory` in version 1: the kernel's admin-guide/cgroup-v1/memory.rst.

use std::io;
use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use nix::errno::Errno;
use oci_spec::runtime::LinuxMemory;

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{self, Reading, number, refused};

const LIMIT: &str = "memory.limit_in_bytes";
/// Of memory and swap together. Not every kernel counts swap: then this is missing.
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";

/// Writes the limits. `kernel`, `kernelTCP` and `useHierarchy` are obsolete: see
/// [`crate::oci::cgroup::update::ignored`].
///
/// Here, `checkBeforeUpdate` asks for what the kernel does anyway: it refuses a limit below the current usage.
pub fn set(groups: &Groups, memory: &LinuxMemory) -> Result<()> {
    limit(groups, memory)?;
    if let Some(bytes) = memory.reservation().filter(|bytes| *bytes != 0) {
        let group = groups.need("memory")?;
        file::set(
            group,
            "memory.reservation",
            "memory.soft_limit_in_bytes",
            bytes,
        )?;
    }
    if memory.disable_oom_killer() == Some(true) {
        let group = groups.need("memory")?;
        file::set(group, "memory.disableOOMKiller", "memory.oom_control", 1)?;
    }
    if let Some(percent) = memory.swappiness() {
        check_swappiness(percent)?;
        let group = groups.need("memory")?;
        file::set(group, "memory.swappiness", "memory.swappiness", percent)?;
    }
    Ok(())
}

/// Fails if the kernel could not take this value.
pub fn check_swappiness(percent: u64) -> Result<()> {
    ensure!(
        percent <= 100,
        "linux.resources.memory.swappiness is {percent}, and must be from 0 to 100"
    );
    Ok(())
}

// ANCHOR: limit
/// The memory's limit must never be above that of memory and swap together, not even between two writes.
fn limit(groups: &Groups, memory: &LinuxMemory) -> Result<()> {
    let limit = memory.limit().filter(|bytes| *bytes != 0);
    let mut swap = memory.swap().filter(|bytes| *bytes != 0);
    if limit.is_none() && swap.is_none() {
        return Ok(());
    }
    let group = groups.need("memory")?;
    // Without a limit for the memory, there can be none for both.
    if limit == Some(-1) && swap.is_none() && group.join(WITH_SWAP).exists() {
        swap = Some(-1);
    }
    let current = number(group, LIMIT).reading(group, LIMIT)?;
    // What is not below the memory's current limit can always be written first. What is below it must be second: then
    // the memory's new limit is lower than its current one.
    let swap_first = swap.is_some_and(|swap| swap == -1 || swap as u64 >= current);
    let with_swap = || {
        swap.map_or(Ok(()), |swap| {
            file::set(group, "memory.swap", WITH_SWAP, swap)
        })
    };
    if swap_first {
        with_swap()?;
    }
    if let Some(limit) = limit {
        let value = limit.to_string();
        file::write(group, LIMIT, &value).map_err(|error| explain(group, &value, error))?;
    }
    if swap_first { Ok(()) } else { with_swap() }
}
// ANCHOR_END: limit

// ANCHOR: explain
/// Says why the kernel does not take the limit: it could not free enough memory, or there is a lower limit for memory
/// and swap together.
fn explain(group: &Path, value: &str, error: io::Error) -> anyhow::Error {
    let of = |name| number(group, name).unwrap_or(0);
    let refused = refused(group, "memory.limit", LIMIT, value, &error);
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY) => refused.context(format!(
            "unable to set memory limit to {value} (current usage: {}, peak usage: {})",
            of("memory.usage_in_bytes"),
            of("memory.max_usage_in_bytes")
        )),
        Some(Errno::EINVAL) if value.parse().is_ok_and(|limit: u64| of(WITH_SWAP) < limit) => {
            let both = of(WITH_SWAP);
            anyhow!(
                "{refused}\nhint: the limit of memory and swap together is {both}: raise it, too"
            )
        }
        _ => refused,
    }
}
// ANCHOR_END: explain
