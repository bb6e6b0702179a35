//! What /proc and /sys tell and allow that is no container's business: the lists are Docker's. proc(5), sysfs(5).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::stat::stat;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use crate::dev::is_null;
use crate::mounts::{DATA, bind, mount_new, restrict, restrict_all};

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

// ANCHOR: mount_sys
/// Devices and drivers, to look at: with its own network devices, and its own cgroup as the highest.
pub fn mount_sys() -> Result<()> {
    let flags = DATA | MsFlags::MS_RDONLY;
    let mounted = mount_new("sysfs", "/sys", flags, "");
    if mounted
        .as_ref()
        .is_err_and(|error| error.downcast_ref() == Some(&Errno::EPERM))
    {
        // It shows the network's devices, so only who owns the network may mount it: not so with --net host.
        bind("sys", "/sys").context("cannot mount /sys")?;
        return restrict_all("/sys", flags).context("cannot mount /sys");
    }
    mounted?;
    let groups = statfs("sys/fs/cgroup").map(|found| found.filesystem_type());
    if groups == Ok(CGROUP2_SUPER_MAGIC) {
        mount_new("cgroup2", "/sys/fs/cgroup", flags, "")?;
    }
    Ok(())
}
// ANCHOR_END: mount_sys

// ANCHOR: cover
/// Covers what is not to be seen, and makes read-only what is not to be changed.
pub fn cover() -> Result<()> {
    let cpus = (0..).map(|n| format!("/sys/devices/system/cpu/cpu{n}"));
    let cpus = cpus.take_while(|cpu| Path::new(cpu).exists());
    let per_cpu = cpus.map(|cpu| cpu + "/thermal_throttle");
    let mut empty = None;
    for path in HIDDEN.into_iter().map(str::to_owned).chain(per_cpu) {
        hide(&path, &mut empty).with_context(|| format!("cannot hide {path}"))?;
    }
    for path in READ_ONLY
        .into_iter()
        .filter(|path| Path::new(path).exists())
    {
        let cannot = || format!("cannot make {path} read-only");
        bind(path, path).with_context(cannot)?;
        restrict(path, MsFlags::MS_RDONLY).with_context(cannot)?;
    }
    Ok(())
}

/// A directory by an empty one, anything else by /dev/null, if it is that (CVE-2025-31133).
///
/// The first `empty` directory will do for the others.
fn hide(path: &str, empty: &mut Option<String>) -> Result<()> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(());
    };
    if !found.is_dir() {
        ensure!(is_null(&stat("/dev/null")?), "/dev/null is another device");
        return Ok(bind("/dev/null", path)?);
    }
    if let Some(empty) = empty {
        return Ok(bind(empty, path)?);
    }
    *empty = Some(path.to_owned());
    mount_new("tmpfs", path, DATA | MsFlags::MS_RDONLY, "nr_inodes=1")
}
// ANCHOR_END: cover
