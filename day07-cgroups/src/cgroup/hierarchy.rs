//! Where this host has its cgroups, and which of them we may use: cgroups(7), proc_pid_mountinfo(5).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{AccessFlags, access, geteuid};

use crate::failure::sudo_run;

/// Our groups go below one with this name, as Docker's go below "docker".
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
    /// A hierarchy for each controller, or a few. Many hosts still have some of these.
    V1,
    /// One hierarchy for all of them.
    V2,
}

// ANCHOR: hierarchy
/// A tree of groups, which limits what its `controllers` count.
pub struct Hierarchy {
    version: Version,
    controllers: Vec<String>,
    /// Its highest group that can be seen from here.
    top: PathBuf,
    /// The group of this process.
    own: PathBuf,
}
// ANCHOR_END: hierarchy

// ANCHOR: delegated_group
/// The group, in one of the `hierarchies`, below which ours for `controller` go. It may not exist yet.
///
/// Fails where the kernel has no such controller, or this user no group that they may change.
pub fn delegated_group(controller: &str, hierarchies: &[Hierarchy]) -> Result<(Version, PathBuf)> {
    let has_it = |hierarchy: &&Hierarchy| hierarchy.controllers.iter().any(|has| has == controller);
    let hierarchy = hierarchies.iter().find(has_it).with_context(|| {
        format!("this host has no such cgroup controller\n{NONE_HINT} cgroup_enable={controller}")
    })?;
    // A process may be moved by who may write to its group, to the new one, and to the first above both.
    let ours = hierarchy
        .own
        .ancestors()
        .take_while(|group| may_change(group, hierarchy));
    let Some(highest) = ours.last() else {
        let (group, hint) = (
            hierarchy.own.display(),
            match hierarchy.version {
                _ if geteuid().is_root() => CONTAINER_HINT.to_owned(),
                Version::V1 => format!("{V1_HINT} {}", sudo_run()),
                Version::V2 => V2_HINT.to_owned(),
            },
        );
        bail!("{group} cannot be changed by this user\n{hint}");
    };
    let delegated =
        hierarchy.version == Version::V1 || controllers(highest).contains(&controller.to_owned());
    if !delegated {
        bail!(
            "{} has no {controller} controller\n{CONTROLLER_HINT}",
            highest.display()
        );
    }
    Ok((hierarchy.version, highest.join(OURS)))
}
// ANCHOR_END: delegated_group

fn may_change(group: &Path, hierarchy: &Hierarchy) -> bool {
    group.starts_with(&hierarchy.top)
        && access(&group.join("cgroup.procs"), AccessFlags::W_OK).is_ok()
}

/// What a group of version 2 can limit.
fn controllers(group: &Path) -> Vec<String> {
    let file = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    file.split_whitespace().map(str::to_owned).collect()
}

// ANCHOR: hierarchies
/// All that are mounted.
pub fn hierarchies() -> Result<Vec<Hierarchy>> {
    let read = |file| fs::read_to_string(file).with_context(|| format!("cannot read {file}"));
    let (mounts, groups) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    Ok(mounts
        .lines()
        .filter_map(|mount| hierarchy(mount, &groups))
        .collect())
}

/// The one that a line of mountinfo is about: "31 23 0:28 ROOT TOP OPTIONS - TYPE SOURCE CONTROLLERS".
fn hierarchy(mount: &str, groups: &str) -> Option<Hierarchy> {
    let (mount, file_system) = mount.split_once(" - ")?;
    let (mut mount, mut file_system) = (mount.split(' ').skip(3), file_system.split(' '));
    let (root, top) = (mount.next()?, PathBuf::from(mount.next()?));
    let (version, controllers) = match file_system.next()? {
        "cgroup2" => (Version::V2, controllers(&top)),
        "cgroup" => (
            Version::V1,
            file_system.nth(1)?.split(',').map(str::to_owned).collect(),
        ),
        _ => return None,
    };
    // "4:memory:/GROUP"; in version 2, "0::/GROUP".
    let group = groups.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (names, group) = line.split_once(':')?;
        let mut names = names.split(',');
        let is_it = match version {
            Version::V1 => names.any(|name| controllers.iter().any(|has| has == name)),
            Version::V2 => names.eq([""]),
        };
        is_it.then_some(group)
    })?;
    // What is mounted may be a part of the hierarchy, from ROOT on.
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    Some(Hierarchy {
        version,
        controllers,
        own: top.join(below).components().collect(),
        top,
    })
}
// ANCHOR_END: hierarchies
