//! `linux.resources.blockIO` in version 2: "IO" in cgroup-v2.rst, and the kernel's block/bfq-iosched.rst.

use std::path::Path;

use anyhow::{Result, ensure};
use oci_spec::runtime::LinuxBlockIo;

use crate::oci::cgroup::file;

/// Whether there is a limit in it.
pub fn is_set(block_io: &LinuxBlockIo) -> bool {
    let weight = block_io.weight().unwrap_or(0) != 0 || block_io.leaf_weight().unwrap_or(0) != 0;
    weight
        || block_io.weight_device().iter().flatten().next().is_some()
        || limits(block_io).next().is_some()
}

/// Writes the weights, and the limits for each device.
///
/// Without the scheduler "bfq", the weights (10 to 1000) are converted to those of io.weight (1 to 10000).
pub fn set(group: &Path, block_io: &LinuxBlockIo) -> Result<()> {
    let is_leaf = |weight: Option<u16>| weight.unwrap_or(0) != 0;
    let mut devices = block_io.weight_device().iter().flatten();
    ensure!(
        !is_leaf(block_io.leaf_weight()) && !devices.any(|device| is_leaf(device.leaf_weight())),
        "linux.resources.blockIO.leafWeight needs cgroup v1, and this host has cgroup v2"
    );
    let is_bfq = group.join("io.bfq.weight").exists();
    let name = if is_bfq { "io.bfq.weight" } else { "io.weight" };
    let scaled = |weight: u16| {
        if is_bfq {
            weight.into()
        } else {
            io_weight(weight)
        }
    };
    if let Some(weight) = block_io.weight().filter(|weight| *weight != 0) {
        file::set(group, "blockIO.weight", name, scaled(weight))?;
    }
    for device in block_io.weight_device().iter().flatten() {
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            let value = format!("{}:{} {}", device.major(), device.minor(), scaled(weight));
            file::set(group, "blockIO.weightDevice", name, value)?;
        }
    }
    for (field, value) in limits(block_io) {
        file::set(group, field, "io.max", value)?;
    }
    Ok(())
}

// ANCHOR: io_weight
fn io_weight(weight: u16) -> u64 {
    // Less than 10 is none in either version: the kernel will refuse the 0.
    let above = u64::from(weight).checked_sub(10);
    above.map_or(0, |above| 1 + above * 9999 / 990)
}
// ANCHOR_END: io_weight

// ANCHOR: limits
/// The limits for each device: the field, and a line for io.max.
fn limits(block_io: &LinuxBlockIo) -> impl Iterator<Item = (&'static str, String)> {
    let kinds = [
        (
            "blockIO.throttleReadBpsDevice",
            "rbps",
            block_io.throttle_read_bps_device(),
        ),
        (
            "blockIO.throttleWriteBpsDevice",
            "wbps",
            block_io.throttle_write_bps_device(),
        ),
        (
            "blockIO.throttleReadIOPSDevice",
            "riops",
            block_io.throttle_read_iops_device(),
        ),
        (
            "blockIO.throttleWriteIOPSDevice",
            "wiops",
            block_io.throttle_write_iops_device(),
        ),
    ];
    kinds.into_iter().flat_map(|(field, key, devices)| {
        devices.iter().flatten().map(move |device| {
            // In version 1, 0 is no limit. In this version, the kernel refuses it.
            let rate = match device.rate() {
                0 => "max".to_owned(),
                rate => rate.to_string(),
            };
            (
                field,
                format!("{}:{} {key}={rate}", device.major(), device.minor()),
            )
        })
    })
}
// ANCHOR_END: limits

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_converted() {
        assert_eq!([5, 10, 750, 1000].map(io_weight), [0, 1, 7475, 10_000]);
    }
}
