//! What is the same in both versions, except for names of files.

use anyhow::{Result, ensure};
use oci_spec::runtime::LinuxResources;

use crate::oci::cgroup::{Groups, file};

/// 0 becomes 1: systemd knows no 0, and a group that already has a process makes no difference between the two.
pub fn pids_max(limit: i64) -> String {
    match limit {
        0 => "1".to_owned(),
        1.. => limit.to_string(),
        _ => "max".to_owned(),
    }
}

// ANCHOR: huge_pages
/// The limits for huge pages, which have the same files in both versions, except for how their names end.
pub fn huge_pages(groups: &Groups, resources: &LinuxResources, ending: &str) -> Result<()> {
    for limit in resources.hugepage_limits().iter().flatten() {
        let (size, bytes) = (limit.page_size(), limit.limit());
        let field = format!("hugepageLimits[{size}].limit");
        let is_size = !size.is_empty() && size.chars().all(|letter| letter.is_ascii_alphanumeric());
        ensure!(
            is_size,
            "linux.resources.hugepageLimits: {size:?} is no page size, such as 2MB"
        );
        let group = groups.need("hugetlb")?;
        file::set(group, &field, &format!("hugetlb.{size}.{ending}"), bytes)?;
        // Pages that are reserved, and not yet used: from Linux 5.7.
        let reserved = format!("hugetlb.{size}.rsvd.{ending}");
        if group.join(&reserved).exists() {
            file::set(group, &field, &reserved, bytes)?;
        }
    }
    Ok(())
}
// ANCHOR_END: huge_pages

/// The limits for RDMA devices, which have the same file in both versions.
pub fn rdma(groups: &Groups, resources: &LinuxResources) -> Result<()> {
    for (device, limits) in resources.rdma().iter().flatten() {
        let handles = limits
            .hca_handles()
            .map(|most| format!(" hca_handle={most}"));
        let objects = limits
            .hca_objects()
            .map(|most| format!(" hca_object={most}"));
        let value = [Some(device.clone()), handles, objects]
            .into_iter()
            .flatten();
        let field = format!("rdma[{device}]");
        file::set(
            groups.need("rdma")?,
            &field,
            "rdma.max",
            value.collect::<String>(),
        )?;
    }
    Ok(())
}
