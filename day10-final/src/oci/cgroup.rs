//! The cgroups of a container, which an engine names in config.json: `linux.cgroupsPath` and `linux.resources`.
//! cgroups(7), the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst, and config-linux.md of the OCI runtime
//! specification.
//!
//! A host has version 1 (a hierarchy for each controller), version 2 (one for all), or is a hybrid: its controllers are
//! of version 1, and there is a hierarchy of version 2 that has none. Paths and values mean what they mean to runc.

pub mod both;
pub mod devices;
pub mod file;
pub mod freezer;
pub mod hierarchy;
pub mod join;
pub mod oom;
pub mod plan;
pub mod processes;
#[cfg(test)]
mod real;
pub mod remove;
pub mod stats;
pub mod update;
pub mod v1;
pub mod v2;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::unistd::{AccessFlags, access};
use oci_spec::runtime::LinuxResources;
use serde::{Deserialize, Serialize};

use crate::oci::cgroup::file::{is_forbidden, reason};

/// The cgroups of one container. They go into its state file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// For each controller of version 1, the container's directory. The directory of version 2 has the key "".
    pub paths: BTreeMap<String, PathBuf>,
    /// Whether the host has version 2, and that alone.
    pub is_unified: bool,
    /// Whether an ordinary user runs the container. Rules for devices are then left to the kernel's permissions.
    #[serde(default)]
    pub rootless: bool,
    /// Whether we chose the path. An ordinary user can then do without cgroups, as long as they want no limits.
    #[serde(default)]
    pub by_default: bool,
}

impl Groups {
    /// The directory for `controller` of version 1, or the only one of version 2.
    pub fn path(&self, controller: &str) -> Option<&Path> {
        let name = if self.is_unified { "" } else { controller };
        self.paths.get(name).map(PathBuf::as_path)
    }

    /// Each directory once: several controllers may share one.
    fn directories(&self) -> BTreeSet<&Path> {
        self.paths.values().map(PathBuf::as_path).collect()
    }

    /// The directory for `controller`, which has to be there, for a limit to be written to it.
    fn need(&self, controller: &str) -> Result<&Path> {
        self.path(controller).ok_or_else(|| {
            let limit = if controller == "blkio" {
                "blockIO"
            } else {
                controller
            };
            anyhow!(
                "cannot set {limit} limit: container could not join or create cgroup\n\
                 hint: see whether this host has the controller in /proc/cgroups, and mounts it"
            )
        })
    }

    /// Splits off the directory of version 2. A new process can begin there, and has to enter the others by itself.
    pub fn split_top(&mut self) -> Groups {
        let top = self.paths.remove_entry("");
        Groups {
            paths: top.into_iter().collect(),
            ..self.clone()
        }
    }

    // ANCHOR: check_unused
    /// Fails if a cgroup that this container is to get is in use already, or frozen.
    pub fn check_unused(&self) -> Result<()> {
        // Most often, there are none yet.
        if !self.directories().iter().any(|group| group.exists()) {
            return Ok(());
        }
        let pids = self.pids()?.len();
        ensure!(
            pids == 0,
            "container's cgroup is not empty: {pids} process(es) found"
        );
        // A process that enters would stand still for ever.
        ensure!(!self.is_frozen()?, "container's cgroup unexpectedly frozen");
        Ok(())
    }
    // ANCHOR_END: check_unused

    // ANCHOR: create
    /// Creates the cgroups, without limits yet. Those that are missing above them are created as well.
    ///
    /// Fails if one is in use. An ordinary user may be forbidden to create one; if we chose the path, and `resources`
    /// wants nothing of it, the container goes without.
    pub fn create(&mut self, resources: &LinuxResources) -> Result<()> {
        self.check_unused()?;
        let (mut made, mut forbidden) = (Vec::new(), Vec::new());
        for (name, group) in &self.paths {
            let is_new = !group.exists();
            let created = create_one(name, group, self.is_unified, resources);
            let usable = created.and_then(|()| match is_new {
                true => Ok(()),
                // One that is there already may be somebody else's.
                false => Ok(access(&group.join("cgroup.procs"), AccessFlags::W_OK)?),
            });
            let Err(error) = usable else {
                made.extend(is_new.then_some(group));
                continue;
            };
            if let Err(error) = self.may_do_without(&error, resources) {
                // What was there before stays.
                made.iter().for_each(|group| drop(fs::remove_dir(group)));
                let (context, group) = ("unable to apply cgroup configuration", group.display());
                bail!("{context}: cannot create {group}: {error}");
            }
            forbidden.push(name.clone());
        }
        forbidden
            .iter()
            .for_each(|name| drop(self.paths.remove(name)));
        Ok(())
    }
    // ANCHOR_END: create

    /// Creates the cgroups that have gone meanwhile, with the limits of all.
    pub fn restore(&self, resources: &LinuxResources) -> Result<()> {
        for (name, group) in &self.paths {
            create_one(name, group, self.is_unified, resources)
                .with_context(|| format!("cannot create {} again", group.display()))?;
        }
        self.set(resources)
    }

    // ANCHOR: may_do_without
    /// Passes on the `error` from creating a cgroup, unless the container can do without.
    fn may_do_without(&self, error: &io::Error, resources: &LinuxResources) -> Result<()> {
        let why = reason(error);
        ensure!(
            self.rootless && self.by_default && is_forbidden(error),
            "{why}"
        );
        // In version 1, it is seen when a limit is written for which there is no cgroup.
        let wants_limits = self.is_unified && v2::wants_controllers(resources);
        ensure!(
            !wants_limits,
            "rootless needs no limits + no cgrouppath when no permission is granted for cgroups: \
             {why}"
        );
        Ok(())
    }
    // ANCHOR_END: may_do_without

    /// Writes all limits in `resources`, and the rules for devices. Best before the first process enters, except for the
    /// limit of [`update::apart`].
    ///
    /// An error names the field of config.json, its value, and why the kernel refuses it.
    pub fn set(&self, resources: &LinuxResources) -> Result<()> {
        self.update(resources)?;
        let rules = resources.devices().as_deref().unwrap_or_default();
        devices::apply(self, rules).context("cannot set linux.resources.devices")
    }

    /// Writes the limits in `resources` to the cgroups of a running container. The rules for devices stay: another
    /// program may have changed them meanwhile (for a GPU, for example).
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        if self.is_unified {
            v2::set(self, resources)
        } else {
            v1::set(self, resources)
        }
    }
}

fn create_one(
    name: &str,
    group: &Path,
    is_unified: bool,
    resources: &LinuxResources,
) -> io::Result<()> {
    match name {
        "" if is_unified => v2::create::create(group, resources),
        "cpuset" => v1::cpuset::create(group),
        _ => fs::create_dir_all(group),
    }
}
