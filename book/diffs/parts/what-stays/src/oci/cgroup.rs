//! The cgroups of a container, which an engine names in config.json: `linux.cgroupsPath` and `linux.resources`.
//! cgroups(7), the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst, and config-linux.md of the OCI runtime
//! specification.
//!
//! A host has version 1 (a hierarchy for each controller), version 2 (one for all), or is a hybrid: its controllers are
//! of version 1, and there is a hierarchy of version 2 that has none. Paths and values mean what they mean to runc.

pub mod file;
pub mod hierarchy;
pub mod join;
pub mod plan;
pub mod processes;
pub mod remove;
pub mod v1;
pub mod v2;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use nix::unistd::{AccessFlags, access};
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
    /// Each directory once: several controllers may share one.
    fn directories(&self) -> BTreeSet<&Path> {
        self.paths.values().map(PathBuf::as_path).collect()
    }

    // ANCHOR: create
    /// Creates the cgroups, without limits yet. Those that are missing above them are created as well.
    ///
    /// An ordinary user may be forbidden to create one; if we chose the path, the container goes without.
    pub fn create(&mut self) -> Result<()> {
        let (mut made, mut forbidden) = (Vec::new(), Vec::new());
        for (name, group) in &self.paths {
            let is_new = !group.exists();
            let created = create_one(name, group, self.is_unified);
            let usable = created.and_then(|()| match is_new {
                true => Ok(()),
                // One that is there already may be somebody else's.
                false => Ok(access(&group.join("cgroup.procs"), AccessFlags::W_OK)?),
            });
            let Err(error) = usable else {
                made.extend(is_new.then_some(group));
                continue;
            };
            if let Err(error) = self.may_do_without(&error) {
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

    // ANCHOR: may_do_without
    /// Passes on the `error` from creating a cgroup, unless the container can do without.
    fn may_do_without(&self, error: &io::Error) -> Result<()> {
        let why = reason(error);
        ensure!(
            self.rootless && self.by_default && is_forbidden(error),
            "{why}"
        );
        Ok(())
    }
    // ANCHOR_END: may_do_without
}

fn create_one(name: &str, group: &Path, is_unified: bool) -> io::Result<()> {
    match name {
        "" if is_unified => v2::create::create(group),
        "cpuset" => v1::cpuset::create(group),
        _ => fs::create_dir_all(group),
    }
}
