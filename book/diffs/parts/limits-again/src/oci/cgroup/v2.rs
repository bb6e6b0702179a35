//! Limits in version 2: one directory for all controllers. The kernel's admin-guide/cgroup-v2.rst.
//!
//! The specification speaks of version 1. Values are converted as in runc.

pub mod cpu;
pub mod create;
pub mod memory;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use oci_spec::runtime::LinuxResources;

use crate::oci::cgroup::file::{self, is_forbidden, read, refused, write};
use crate::oci::cgroup::{Groups, both};

// ANCHOR: set
/// Writes all limits in `resources`, but not the rules for devices. A value of 0 means "leave it as it is".
///
/// Fails if one of them does not exist in version 2.
pub fn set(groups: &Groups, resources: &LinuxResources) -> Result<()> {
    refuse_v1_only(resources)?;
    let Some(group) = groups.path("") else {
        ensure!(
            !wants_controllers(resources),
            "cannot set limits: container could not join or create cgroup"
        );
        return Ok(());
    };
    if let Some(pids) = resources.pids() {
        file::set(
            group,
            "pids.limit",
            "pids.max",
            both::pids_max(pids.limit()),
        )?;
    }
    if let Some(memory) = resources.memory() {
        memory::set(group, memory)?;
    }
    if let Some(cpu) = resources.cpu() {
        cpu::set(group, cpu)?;
    }
    // Last, because these go before the others.
    unified(group, resources)
}
// ANCHOR_END: set

/// Whether `resources` wants limits at all.
pub fn wants_controllers(resources: &LinuxResources) -> bool {
    let cpu = resources.cpu().as_ref().is_some_and(cpu::is_set);
    cpu || resources.pids().is_some() || wants_domain(resources)
}

/// Whether `resources` wants a controller that counts for processes, and not for each thread: cgroups(7).
pub fn wants_domain(resources: &LinuxResources) -> bool {
    resources.memory().as_ref().is_some_and(memory::is_set)
}

fn refuse_v1_only(resources: &LinuxResources) -> Result<()> {
    let (cpu, memory) = (resources.cpu(), resources.memory());
    let unavailable = [
        (
            "cpu.realtimeRuntime",
            cpu.as_ref()
                .is_some_and(|cpu| cpu.realtime_runtime().unwrap_or(0) != 0),
        ),
        (
            "cpu.realtimePeriod",
            cpu.as_ref()
                .is_some_and(|cpu| cpu.realtime_period().unwrap_or(0) != 0),
        ),
        (
            "memory.swappiness",
            memory.is_some_and(|memory| memory.swappiness().is_some()),
        ),
        (
            "memory.disableOOMKiller",
            memory.is_some_and(|memory| memory.disable_oom_killer() == Some(true)),
        ),
    ];
    match unavailable.into_iter().find(|(_, is_wanted)| *is_wanted) {
        Some((field, _)) => {
            bail!("linux.resources.{field} needs cgroup v1, and this host has cgroup v2")
        }
        None => Ok(()),
    }
}

// ANCHOR: unified
/// Writes to files of version 2 by their names, line by line.
fn unified(group: &Path, resources: &LinuxResources) -> Result<()> {
    for (name, value) in resources.unified().iter().flatten() {
        let field = format!("unified[{name}]");
        ensure!(
            !name.contains('/'),
            "linux.resources.unified: unified resource {name:?} must be a file name (no slashes)"
        );
        let (controller, _) = name.split_once('.').with_context(|| {
            format!("linux.resources.unified: {name:?} must be in the form CONTROLLER.PARAMETER")
        })?;
        for line in value.lines() {
            let Err(error) = write(group, name, line) else {
                continue;
            };
            let enabled = read(group, "cgroup.controllers").unwrap_or_default();
            let is_enabled = enabled
                .split_whitespace()
                .any(|enabled| enabled == controller);
            let is_gone = is_forbidden(&error) || error.kind() == ErrorKind::NotFound;
            ensure!(
                !is_gone || is_enabled || controller == "cgroup",
                "unified resource {name:?} can't be set: controller {controller:?} not available"
            );
            return Err(refused(group, &field, name, line, &error));
        }
    }
    Ok(())
}
// ANCHOR_END: unified
