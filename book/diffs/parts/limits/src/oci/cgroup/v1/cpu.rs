//! `linux.resources.cpu` in version 1, apart from the cpuset: the kernel's scheduler/sched-bwc.rst and
//! sched-rt-group.rst.

use std::io;
use std::path::Path;

use anyhow::{Result, ensure};
use nix::errno::Errno;
use oci_spec::runtime::LinuxCpu;

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{self, Reading, number, refused};

// ANCHOR: set
/// Writes the shares, the quota and so on.
pub fn set(groups: &Groups, cpu: &LinuxCpu) -> Result<()> {
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        set_shares(groups.need("cpu")?, shares)?;
    }
    // These three depend on each other, and on the limits of the cgroup above. So the period, or the burst, may be
    // refused until the quota is written. Then we try once more.
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    let mut later = Vec::new();
    if let Some(period) = period {
        let group = groups.need("cpu")?;
        let setting = ("cpu.period", "cpu.cfs_period_us", period.to_string());
        attempt(group, setting, quota.is_some(), &mut later)?;
    }
    if let Some(burst) = cpu.burst() {
        let group = groups.need("cpu")?;
        // Kernels before 5.14 have no bursts. Not to have one is no wish that they fail.
        if burst != 0 || group.join("cpu.cfs_burst_us").exists() {
            let setting = ("cpu.burst", "cpu.cfs_burst_us", burst.to_string());
            attempt(group, setting, quota.is_some(), &mut later)?;
        }
    }
    if let Some(quota) = quota {
        file::set(groups.need("cpu")?, "cpu.quota", "cpu.cfs_quota_us", quota)?;
    }
    for (field, name, value) in later {
        file::set(groups.need("cpu")?, field, name, value)?;
    }
    if let Some(idle) = cpu.idle() {
        file::set(groups.need("cpu")?, "cpu.idle", "cpu.idle", idle)?;
    }
    realtime(groups, cpu)
}
// ANCHOR_END: set

/// The kernel takes any number, and corrects it in silence. We do not.
fn set_shares(group: &Path, shares: u64) -> Result<()> {
    file::set(group, "cpu.shares", "cpu.shares", shares)?;
    let has = number(group, "cpu.shares").reading(group, "cpu.shares")?;
    let end = if shares > has { "maximum" } else { "minimum" };
    ensure!(
        shares == has,
        "linux.resources.cpu.shares is {shares}: the {end} allowed cpu-shares is {has}"
    );
    Ok(())
}

/// How long processes with realtime priority may run in each period, in microseconds.
fn realtime(groups: &Groups, cpu: &LinuxCpu) -> Result<()> {
    let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0);
    let mut later = Vec::new();
    if let Some(period) = cpu.realtime_period().filter(|period| *period != 0) {
        let group = groups.need("cpu")?;
        let setting = ("cpu.realtimePeriod", "cpu.rt_period_us", period.to_string());
        attempt(group, setting, runtime.is_some(), &mut later)?;
    }
    if let Some(runtime) = runtime {
        file::set(
            groups.need("cpu")?,
            "cpu.realtimeRuntime",
            "cpu.rt_runtime_us",
            runtime,
        )?;
    }
    for (field, name, value) in later {
        file::set(groups.need("cpu")?, field, name, value)?;
    }
    Ok(())
}

/// A field, its file, and its value.
type Setting = (&'static str, &'static str, String);

/// Writes a setting. If it does not fit yet, and `may_wait`, leaves it for `later`.
fn attempt(group: &Path, setting: Setting, may_wait: bool, later: &mut Vec<Setting>) -> Result<()> {
    let (field, name, value) = &setting;
    let is_misfit = |error: &io::Error| error.raw_os_error() == Some(Errno::EINVAL as i32);
    match file::write(group, name, value) {
        Err(error) if may_wait && is_misfit(&error) => later.push(setting),
        Err(error) => return Err(refused(group, field, name, value, &error)),
        Ok(()) => (),
    }
    Ok(())
}
