//! A /proc and a /sys must be what they seem: the masks, and the programs in the container, rely on them. proc(5).

use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, ensure};
use nix::sys::stat::SFlag;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::oci::rootfs::mount::plan::Plan;
use crate::rootfs::place::{self, Place};

/// What programs such as lxcfs may put in place of files in /proc. All else there is the kernel's word.
const REPLACEABLE: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];
impl Plan {
    // ANCHOR: check
    /// Whether it may be mounted at this place.
    pub(super) fn check(&self, place: &Place) -> Result<()> {
        let special = ["proc", "sysfs"].contains(&self.kind.as_str()) && self.tree.is_none();
        if special {
            let plain = normal(&self.target);
            ensure!(
                place.path == plain && place::kind(&place.fd)? == SFlag::S_IFDIR,
                "{} must be mounted on ordinary directory",
                self.target.display()
            );
            return Ok(());
        }
        if !place.path.starts_with("/proc") {
            return Ok(());
        }
        if place.path == Path::new("/proc") {
            let is_proc = match &self.tree {
                Some(tree) => fstatfs(tree.as_fd())?.filesystem_type() == PROC_SUPER_MAGIC,
                None => false,
            };
            ensure!(is_proc, "only a proc filesystem can be mounted at /proc");
            return Ok(());
        }
        ensure!(
            !is_taken_in_proc(&place.path),
            "{} is inside /proc",
            place.path.display()
        );
        Ok(())
    }
    // ANCHOR_END: check
}

// ANCHOR: is_taken_in_proc
/// Whether `path` is in /proc, and not for others to replace.
pub(super) fn is_taken_in_proc(path: &Path) -> bool {
    let replaceable = REPLACEABLE.iter().any(|other| path == Path::new(other));
    path.starts_with("/proc") && path != Path::new("/proc") && !replaceable
}

/// The path without `.` and `..`.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => (),
        }
    }
    plain
}
// ANCHOR_END: is_taken_in_proc
