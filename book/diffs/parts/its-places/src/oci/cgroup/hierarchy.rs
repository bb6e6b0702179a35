//! Which hierarchies of cgroups the host has, and where they are mounted: cgroups(7), proc_pid_mountinfo(5).

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// The controllers of version 1 that a container gets a cgroup for. The last two control nothing: systemd follows its
/// services by the one, and the kernel counts rare resources by the other.
const CONTROLLERS: [&str; 15] = [
    "cpuset",
    "devices",
    "memory",
    "cpu",
    "cpuacct",
    "pids",
    "blkio",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "freezer",
    "rdma",
    "name=systemd",
    "misc",
];

/// A controller's hierarchy. (Several controllers may share one, as in /sys/fs/cgroup/cpu,cpuacct.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// The controller of version 1, or "" for the one hierarchy of version 2.
    pub name: String,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The cgroup of this process.
    pub own: PathBuf,
}

/// The hierarchies that are mounted on this host.
///
/// On a hybrid host, there are some of version 1, and one of version 2 without controllers.
pub fn mounted() -> Result<Vec<Hierarchy>> {
    let read = |file| fs::read_to_string(file).with_context(|| format!("cannot read {file}"));
    Ok(parse(
        &read("/proc/self/mountinfo")?,
        &read("/proc/self/cgroup")?,
    ))
}

// ANCHOR: parse
/// The hierarchies that `mountinfo` lists. `groups` are the lines of /proc/PID/cgroup.
fn parse(mountinfo: &str, groups: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mountinfo.lines() {
        // "31 23 0:28 ROOT MOUNT OPTIONS … - TYPE SOURCE CONTROLLERS"
        let words: Vec<_> = line.split(' ').collect();
        let (Some(root), Some(mount)) = (words.get(3), words.get(4)) else {
            continue;
        };
        let names: Vec<_> = match words[..] {
            [.., "-", "cgroup2", _, _] => vec![""],
            [.., "-", "cgroup", _, list] => list.split(',').collect(),
            _ => continue,
        };
        let (root, mount) = (unescape(root), unescape(mount));
        for name in names
            .into_iter()
            .filter(|name| name.is_empty() || CONTROLLERS.contains(name))
        {
            let Some(group) = group_of(groups, name) else {
                continue;
            };
            // The first mount counts. Others may show only a part of the hierarchy.
            if found.iter().all(|other| other.name != name) {
                // Perhaps only a part of the hierarchy is mounted here, starting with the group `root`.
                let below = Path::new(group)
                    .strip_prefix(&root)
                    .unwrap_or(Path::new(""));
                let (name, own) = (name.to_owned(), mount.join(inside(below)));
                let mount = mount.clone();
                found.push(Hierarchy { name, mount, own });
            }
        }
    }
    found
}
// ANCHOR_END: parse

/// The cgroup of a process in the hierarchy `name`, from its lines in /proc/PID/cgroup: "4:memory:/GROUP", and
/// "0::/GROUP" for version 2.
pub fn group_of<'a>(groups: &'a str, name: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let (names, group) = line.split_once(':')?.1.split_once(':')?;
        names.split(',').any(|other| other == name).then_some(group)
    })
}

// ANCHOR: inside
/// A path without "." and "..", relative: it leads nowhere but down.
///
/// ".." takes away the name before it, if there is one, so "/a/../../b" is "b".
pub fn inside(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => (),
        }
    }
    clean
}
// ANCHOR_END: inside

/// In mountinfo, a space, a tab, a newline and a backslash are written as "\040" and so on.
fn unescape(path: &str) -> PathBuf {
    let codes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let replace = |path: String, (code, character)| path.replace(code, character);
    codes.into_iter().fold(path.to_owned(), replace).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_host_has_hierarchies_of_both_versions() {
        let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      36 31 0:33 /pod /sys/fs/cgroup/devices rw shared:4 - cgroup cgroup rw,devices\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                      22 1 0:5 / /proc rw - proc proc rw\n";
        let groups = "5:devices:/pod/me\n2:cpu,cpuacct:/me\n0::/\n";
        let found = parse(mounts, groups);
        let found: Vec<_> = found
            .iter()
            .map(|it| (&*it.name, it.own.to_str().unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                ("cpu", "/sys/fs/cgroup/cpu,cpuacct/me"),
                ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/me"),
                ("devices", "/sys/fs/cgroup/devices/me"),
                ("", "/sys/fs/cgroup/unified/"),
            ]
        );
    }

    #[test]
    fn a_path_never_leads_out() {
        assert_eq!(inside(Path::new("/../../etc/./x/../y")), Path::new("etc/y"));
        assert_eq!(inside(Path::new("../..")), Path::new(""));
    }
}
