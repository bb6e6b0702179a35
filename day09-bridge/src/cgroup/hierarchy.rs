//! Where this host has its cgroups, and which of them we may use: cgroups(7), proc_pid_mountinfo(5).
//!
//! Used by `cgroup` alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{AccessFlags, access, geteuid};

use crate::failure::sudo_run;

/// The group that contains ours, as Docker's contains Docker's: "docker".
const OURS: &str = "tiny-docker";

const NONE_HINT: &str = "hint: check /proc/cgroups; some machines need the kernel parameter";
const CONTAINER_HINT: &str = "hint: if this is a container, start it with --privileged";
const V1_HINT: &str = "hint: this host uses cgroup v1 for it, which requires root:";
const V2_HINT: &str =
    "hint: get a cgroup of your own: systemd-run --user --scope -p Delegate=yes tiny-docker run …";
const CONTROLLER_HINT: &str =
    "hint: add Delegate=yes below [Service] in /etc/systemd/system/user@.service.d/delegate.conf";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller, or for a few. Many hosts still have some of these.
    V1,
    /// One hierarchy for all of them.
    V2,
}

// ANCHOR: hierarchy
/// A tree of groups, whose `controllers` count what the groups use.
pub struct Hierarchy {
    version: Version,
    controllers: String,
    /// The highest group that can be seen from here.
    top: PathBuf,
    /// The group of this process.
    own: PathBuf,
}
// ANCHOR_END: hierarchy

// ANCHOR: delegated_group
/// Our group for `controller`, in one of the `hierarchies`. It may not exist yet.
///
/// Fails if the kernel has no such controller, or if this user has no group that they may change.
pub fn delegated_group(controller: &str, hierarchies: &[Hierarchy]) -> Result<(Version, PathBuf)> {
    let mut hierarchies = hierarchies.iter();
    let found = hierarchies.find(|hierarchy| has(&hierarchy.controllers, controller));
    let hierarchy = found.with_context(|| {
        format!("this host has no such cgroup controller\n{NONE_HINT} cgroup_enable={controller}")
    })?;
    let (version, own) = (hierarchy.version, &hierarchy.own);
    // To move a process, a user must be able to write to its new group, and to the lowest group above the old and the new.
    let may_change = |group: &&Path| {
        let file = group.join("cgroup.procs");
        group.starts_with(&hierarchy.top) && access(&file, AccessFlags::W_OK).is_ok()
    };
    let Some(highest) = own.ancestors().take_while(may_change).last() else {
        let (group, hint) = (own.display(), hint(version));
        bail!("{group} cannot be changed by this user\n{hint}");
    };
    ensure!(
        version == Version::V1 || has(&controllers(highest), controller),
        "{} has no {controller} controller\n{CONTROLLER_HINT}",
        highest.display()
    );
    Ok((version, highest.join(OURS)))
}
// ANCHOR_END: delegated_group

/// What helps somebody who may not change the groups of this `version`.
fn hint(version: Version) -> String {
    match version {
        _ if geteuid().is_root() => CONTAINER_HINT.to_owned(),
        Version::V1 => format!("{V1_HINT} {}", sudo_run()),
        Version::V2 => V2_HINT.to_owned(),
    }
}

/// What a group of version 2 can limit.
fn controllers(group: &Path) -> String {
    fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default()
}

fn has(controllers: &str, name: &str) -> bool {
    controllers.split([' ', ',', '\n']).any(|has| has == name)
}

// ANCHOR: hierarchies
/// All hierarchies that are mounted.
pub fn hierarchies() -> Result<Vec<Hierarchy>> {
    let read = |file| fs::read_to_string(file).with_context(|| format!("cannot read {file}"));
    let (mounts, groups) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    Ok(mounts
        .lines()
        .filter_map(|mount| hierarchy(mount, &groups))
        .collect())
}

/// The hierarchy that a line of mountinfo describes: "31 23 0:28 ROOT TOP OPTIONS - TYPE SOURCE CONTROLLERS".
fn hierarchy(mount: &str, groups: &str) -> Option<Hierarchy> {
    let (mount, file_system) = mount.split_once(" - ")?;
    let (mut mount, mut file_system) = (mount.split(' ').skip(3), file_system.split(' '));
    let (root, top) = (mount.next()?, PathBuf::from(mount.next()?));
    let (version, controllers) = match file_system.next()? {
        "cgroup2" => (Version::V2, controllers(&top)),
        "cgroup" => (Version::V1, file_system.nth(1)?.to_owned()),
        _ => return None,
    };
    // "4:memory:/GROUP"; in version 2, "0::/GROUP".
    let group = groups.lines().find_map(|line| {
        let (names, group) = line.split_once(':')?.1.split_once(':')?;
        let is_it = match version {
            Version::V1 => names.split(',').any(|name| has(&controllers, name)),
            Version::V2 => names.is_empty(),
        };
        is_it.then_some(group)
    })?;
    // Perhaps only a part of the hierarchy is mounted here, starting with the group ROOT.
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    Some(Hierarchy {
        version,
        controllers,
        own: top.join(below),
        top,
    })
}
// ANCHOR_END: hierarchies
