//! What a container must not see or change in /proc and /sys. The lists are Docker's. proc(5), sysfs(5).

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use crate::rootfs::mounts::{DATA, Tree};
use crate::rootfs::place;

const HIDDEN: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

// ANCHOR: new_sys
/// A new /sys, read-only: with the container's own network devices, and with its own cgroup at the top (cgroup v2).
pub fn new_sys() -> Result<Vec<Tree>> {
    let flags = DATA | MsFlags::MS_RDONLY;
    let sysfs = match Tree::new("sysfs", flags, "") {
        // It shows the network's devices, so only the network's owner may mount it. With --net host, we are not.
        Err(error) if error.downcast_ref() == Some(&Errno::EPERM) => {
            let hosts = opened("/sys").and_then(Tree::of);
            let restricted = hosts.and_then(|sys| sys.restrict(flags));
            return Ok(vec![restricted.context("cannot mount /sys")?]);
        }
        sysfs => sysfs.context("cannot mount /sys")?,
    };
    let groups = statfs("/sys/fs/cgroup").map(|found| found.filesystem_type());
    if groups != Ok(CGROUP2_SUPER_MAGIC) {
        return Ok(vec![sysfs]);
    }
    let cgroup2 = Tree::new("cgroup2", flags, "").context("cannot mount /sys/fs/cgroup")?;
    Ok(vec![sysfs, cgroup2])
}

/// Mounts what [`new_sys`] has made.
pub fn mount_sys(sys: &[Tree], rootfs: &Path) -> Result<()> {
    let cannot = "cannot mount /sys";
    sys[0]
        .attach(place::directory("sys", rootfs)?)
        .context(cannot)?;
    if let Some(cgroup2) = sys.get(1) {
        cgroup2
            .attach(opened("/sys/fs/cgroup").context(cannot)?)
            .context(cannot)?;
    }
    Ok(())
}
// ANCHOR_END: new_sys

// ANCHOR: cover
/// Covers what must not be seen, with the host's `null` or an empty directory, and makes read-only what must not be
/// changed. This happens before there are any volumes, so nobody else can touch this /proc and this /sys.
pub fn cover(null: &Tree) -> Result<()> {
    let cpus = (0..).map(|n| format!("/sys/devices/system/cpu/cpu{n}"));
    let cpus = cpus.take_while(|cpu| Path::new(cpu).exists());
    let per_cpu = cpus.map(|cpu| cpu + "/thermal_throttle");
    let mut empty = None;
    for path in HIDDEN.into_iter().map(str::to_owned).chain(per_cpu) {
        hide(&path, null, &mut empty).with_context(|| format!("cannot hide {path}"))?;
    }
    for path in READ_ONLY {
        make_read_only(path).with_context(|| format!("cannot make {path} read-only"))?;
    }
    Ok(())
}

/// One `empty` directory serves for all of them.
pub fn hide(path: &str, null: &Tree, empty: &mut Option<Tree>) -> Result<()> {
    let Some(there) = found(path)? else {
        return Ok(());
    };
    if place::kind(&there)? != SFlag::S_IFDIR {
        return match Tree::of(null) {
            // Before Linux 6.15, only what is mounted can be copied. So the first mask is the tree itself.
            Err(Errno::EINVAL) => Ok(null.attach(there)?),
            copy => Ok(copy?.attach(there)?),
        };
    }
    if let Some(empty) = empty {
        return Ok(Tree::of(empty)?.attach(there)?);
    }
    let new = Tree::new("tmpfs", DATA | MsFlags::MS_RDONLY, "nr_inodes=1")?;
    new.attach(there)?;
    *empty = Some(new);
    Ok(())
}

pub fn make_read_only(path: &str) -> Result<()> {
    let Some(there) = found(path)? else {
        return Ok(());
    };
    let itself = Tree::of(&there)?.restrict(MsFlags::MS_RDONLY)?;
    Ok(itself.attach(there)?)
}

/// None if there is nothing. What we cannot open for another reason must not stay as it is.
fn found(path: &str) -> nix::Result<Option<OwnedFd>> {
    match opened(path) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        found => found.map(Some),
    }
}
// ANCHOR_END: cover

fn opened(path: &str) -> nix::Result<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
}
