//! `linux.resources.blockIO` in version 1: the kernel's admin-guide/cgroup-v1/blkio-controller.rst.

use anyhow::Result;
use oci_spec::runtime::LinuxBlockIo;

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file;

// ANCHOR: set
/// Writes the weights, and the limits for each device.
pub fn set(groups: &Groups, block_io: &LinuxBlockIo) -> Result<()> {
    let settings = settings(block_io);
    if settings.is_empty() {
        return Ok(());
    }
    let group = groups.need("blkio")?;
    // The scheduler "cfq", until Linux 5.0, had names of its own.
    let is_bfq = !group.join("blkio.weight").exists();
    for (field, name, value) in settings {
        let name = match name {
            "weight" | "weight_device" if is_bfq => format!("blkio.bfq.{name}"),
            name => format!("blkio.{name}"),
        };
        file::set(group, field, &name, value)?;
    }
    Ok(())
}
// ANCHOR_END: set

/// What to write: the field, the file without "blkio.", and the value.
fn settings(block_io: &LinuxBlockIo) -> Vec<(&'static str, &'static str, String)> {
    let mut settings = Vec::new();
    let mut add = |field, name, weight: Option<u16>, device: Option<(i64, i64)>| {
        let Some(weight) = weight.filter(|weight| *weight != 0) else {
            return;
        };
        let value = match device {
            Some((major, minor)) => format!("{major}:{minor} {weight}"),
            None => weight.to_string(),
        };
        settings.push((field, name, value));
    };
    add("blockIO.weight", "weight", block_io.weight(), None);
    add(
        "blockIO.leafWeight",
        "leaf_weight",
        block_io.leaf_weight(),
        None,
    );
    for each in block_io.weight_device().iter().flatten() {
        let device = Some((each.major(), each.minor()));
        add(
            "blockIO.weightDevice.weight",
            "weight_device",
            each.weight(),
            device,
        );
        let (field, name) = ("blockIO.weightDevice.leafWeight", "leaf_weight_device");
        add(field, name, each.leaf_weight(), device);
    }
    for (field, name, devices) in [
        (
            "blockIO.throttleReadBpsDevice",
            "throttle.read_bps_device",
            block_io.throttle_read_bps_device(),
        ),
        (
            "blockIO.throttleWriteBpsDevice",
            "throttle.write_bps_device",
            block_io.throttle_write_bps_device(),
        ),
        (
            "blockIO.throttleReadIOPSDevice",
            "throttle.read_iops_device",
            block_io.throttle_read_iops_device(),
        ),
        (
            "blockIO.throttleWriteIOPSDevice",
            "throttle.write_iops_device",
            block_io.throttle_write_iops_device(),
        ),
    ] {
        for each in devices.iter().flatten() {
            let value = format!("{}:{} {}", each.major(), each.minor(), each.rate());
            settings.push((field, name, value));
        }
    }
    settings
}
