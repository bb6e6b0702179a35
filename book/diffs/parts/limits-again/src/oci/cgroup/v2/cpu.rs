//! `linux.resources.cpu` in version 2: "CPU" and "Cpuset" in cgroup-v2.rst.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Result, ensure};
use oci_spec::runtime::LinuxCpu;

use crate::oci::cgroup::file::{self, refused, write};

/// In microseconds, the kernel's default.
const PERIOD: u64 = 100_000;

/// Whether there is a limit in it.
pub fn is_set(cpu: &LinuxCpu) -> bool {
    let has = |list: &Option<String>| list.as_ref().is_some_and(|list| !list.is_empty());
    let numbers = [
        cpu.shares(),
        cpu.period(),
        cpu.burst(),
        cpu.quota().map(i64::unsigned_abs),
    ];
    let is_number = numbers.into_iter().flatten().any(|number| number != 0);
    is_number || cpu.idle().is_some() || has(cpu.cpus()) || has(cpu.mems())
}

/// Writes the shares, the quota, the cpuset and so on.
pub fn set(group: &Path, cpu: &LinuxCpu) -> Result<()> {
    for (field, name, list) in [
        ("cpu.cpus", "cpuset.cpus", cpu.cpus()),
        ("cpu.mems", "cpuset.mems", cpu.mems()),
    ] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            file::set(group, field, name, list)?;
        }
    }
    if let Some(idle) = cpu.idle() {
        file::set(group, "cpu.idle", "cpu.idle", idle)?;
    }
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        file::set(group, "cpu.shares", "cpu.weight", weight(shares))?;
    }
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    let burst = cpu.burst().map(|burst| burst.to_string());
    // A burst may be too large for the old quota. Then it has to wait for the new one.
    let mut burst_later = None;
    if let Some(burst) = burst
        && let Err(error) = write(group, "cpu.max.burst", &burst)
    {
        let may_wait = error.kind() == ErrorKind::InvalidInput && quota.is_some();
        ensure!(
            may_wait,
            refused(group, "cpu.burst", "cpu.max.burst", &burst, &error)
        );
        burst_later = Some(burst);
    }
    if quota.is_some() || period.is_some() {
        let most = quota
            .filter(|quota| *quota > 0)
            .map(|quota| quota.to_string());
        let most = most.as_deref().unwrap_or("max");
        let value = format!("{most} {}", period.unwrap_or(PERIOD));
        let field = if quota.is_some() {
            "cpu.quota"
        } else {
            "cpu.period"
        };
        file::set(group, field, "cpu.max", value)?;
    }
    burst_later.map_or(Ok(()), |burst| {
        file::set(group, "cpu.burst", "cpu.max.burst", burst)
    })
}

// ANCHOR: weight
/// The weight of version 2 (1 to 10000, by default 100) for the shares of version 1 (2 to 262144, by default 1024).
///
/// Three points decide the curve, which is a parabola if both axes are logarithmic: the two ends and the defaults.
fn weight(shares: u64) -> u64 {
    // (The standard library would take these two from another shared library, which every command would have to load.)
    let power = libm::log2(shares.clamp(2, 262_144) as f64);
    let exponent = (power * power + 125.0 * power) / 612.0 - 7.0 / 34.0;
    // The ends are exact. Rounding errors must not push them up by one.
    (libm::pow(10.0, exponent) - 1e-9).ceil() as u64
}
// ANCHOR_END: weight

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_a_weight() {
        let ends = [(1, 1), (2, 1), (262_144, 10_000), (u64::MAX, 10_000)];
        for (shares, expected) in [(100, 17), (1024, 100), (3333, 256)]
            .into_iter()
            .chain(ends)
        {
            assert_eq!(weight(shares), expected, "{shares}");
        }
    }
}
