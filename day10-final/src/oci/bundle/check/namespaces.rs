//! `linux.namespaces`, and what makes sense in new ones only: user_namespaces(7), time_namespaces(7).

use std::collections::HashSet;

use anyhow::{Result, ensure};
use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType as Kind, Spec};

use crate::oci::namespaces::{is_new, wanted};

pub fn check(spec: &Spec, linux: &Linux) -> Result<()> {
    unique(linux)?;
    ids(spec, linux)?;
    clocks(spec, linux)
}

fn unique(linux: &Linux) -> Result<()> {
    let mut seen = HashSet::new();
    for namespace in linux.namespaces().iter().flatten() {
        let kind = namespace.typ();
        ensure!(seen.insert(kind), "linux.namespaces: {kind} is there twice");
        if let Some(path) = namespace.path() {
            ensure!(
                path.as_os_str().is_empty() || path.is_absolute(),
                "linux.namespaces: {} is not an absolute path",
                path.display()
            );
        }
    }
    Ok(())
}

fn ids(spec: &Spec, linux: &Linux) -> Result<()> {
    let given = |ids: &Option<Vec<LinuxIdMapping>>| ids.as_ref().is_some_and(|ids| !ids.is_empty());
    let (users, groups) = (given(linux.uid_mappings()), given(linux.gid_mappings()));
    match wanted(spec, Kind::User) {
        None => ensure!(
            !users && !groups,
            "linux.uidMappings and linux.gidMappings need a user namespace"
        ),
        Some(None) => ensure!(
            users && groups,
            "linux.uidMappings and linux.gidMappings: a new user namespace needs both"
        ),
        Some(Some(_)) => (),
    }
    Ok(())
}

fn clocks(spec: &Spec, linux: &Linux) -> Result<()> {
    for (clock, _) in linux.time_offsets().iter().flatten() {
        ensure!(
            is_new(spec, Kind::Time),
            "linux.timeOffsets: it needs a new time namespace"
        );
        ensure!(
            ["boottime", "monotonic"].contains(&clock.as_str()),
            "linux.timeOffsets: {clock:?} is neither boottime nor monotonic"
        );
    }
    Ok(())
}
