//! Where this host has its cgroups, and which of them we may use: cgroups(7), proc_pid_mountinfo(5).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{AccessFlags, access, geteuid};

use crate::failure::sudo_run;

/// The group that contains ours, as Docker's contains Docker's: "docker".
pub const OURS: &str = "tiny-docker";

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

/// Our group for `controller`. It may not exist yet.
///
/// Fails if the kernel has no such controller, or if this user has no group that they may change.
pub fn delegated_group(controller: &str) -> Result<(Version, PathBuf)> {
    let read = |file| fs::read_to_string(file).with_context(|| format!("cannot read {file}"));
    let (mounts, groups) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    let mut mounts = mounts.lines();
    let found = mounts.find_map(|mount| hierarchy(mount, controller, &groups));
    let (version, top, own) = found.with_context(|| {
        format!("this host has no such cgroup controller\n{NONE_HINT} cgroup_enable={controller}")
    })?;
    // To move a process, a user must be able to write to its new group, and to the lowest group above both groups.
    let may_change = |group: &&Path| {
        let file = group.join("cgroup.procs");
        group.starts_with(&top) && access(&file, AccessFlags::W_OK).is_ok()
    };
    let Some(highest) = own.ancestors().take_while(may_change).last() else {
        let (group, hint) = (own.display(), hint(version));
        bail!("{group} cannot be changed by this user\n{hint}");
    };
    if version == Version::V2 && !has(&controllers(highest), controller) {
        let group = highest.display();
        bail!("{group} has no {controller} controller\n{CONTROLLER_HINT}");
    }
    Ok((version, highest.join(OURS)))
}

/// What a line of mountinfo says about a tree with this `controller`: the version, the highest group that can
/// be seen from here, and the group of this process. The line: "31 23 0:28 ROOT TOP OPTIONS - TYPE SOURCE CONTROLLERS".
fn hierarchy(mount: &str, controller: &str, groups: &str) -> Option<(Version, PathBuf, PathBuf)> {
    let words: Vec<_> = mount.split(' ').collect();
    let (root, top) = (words.get(3)?, Path::new(words.get(4)?));
    let (version, controllers, name) = match words[..] {
        [.., "cgroup2", _, _] => (Version::V2, controllers(top), ""),
        [.., "cgroup", _, list] => (Version::V1, list.to_owned(), controller),
        _ => return None,
    };
    // "4:memory:/GROUP"; in version 2, "0::/GROUP".
    let group = groups.lines().find_map(|line| {
        let (names, group) = line.split_once(':')?.1.split_once(':')?;
        has(names, name).then_some(group)
    })?;
    // Perhaps only a part of the hierarchy is mounted here, starting with the group ROOT.
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    has(&controllers, controller).then(|| (version, top.to_owned(), top.join(below)))
}

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
