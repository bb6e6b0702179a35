//! New limits for a running container: `update`.

pub mod flags;
pub mod json;

use anyhow::Result;
use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources, LinuxThrottleDevice, LinuxWeightDevice,
};

use crate::oci::cgroup::Groups;

/// Fields that are obsolete: the kernel does not have them any more, and the specification advises against them. They
/// deserve a warning, but are no error, because engines still write them.
pub fn ignored(resources: &LinuxResources) -> Vec<&'static str> {
    let Some(memory) = resources.memory() else {
        return Vec::new();
    };
    let fields = [
        ("linux.resources.memory.kernel", memory.kernel().is_some()),
        (
            "linux.resources.memory.kernelTCP",
            memory.kernel_tcp().is_some(),
        ),
        (
            "linux.resources.memory.useHierarchy",
            memory.use_hierarchy() == Some(false),
        ),
    ];
    fields
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(field, _)| field)
        .collect()
}

// ANCHOR: apart
/// The limits to be written before the first process enters, and the one for the number of processes. While a container
/// is created, it has one process more than later, and the limit may be 1.
pub fn apart(resources: &LinuxResources) -> (LinuxResources, LinuxResources) {
    let (mut first, mut last) = (resources.clone(), LinuxResources::default());
    last.set_pids(*resources.pids());
    first.set_pids(None);
    if let Some(unified) = first.unified_mut()
        && let Some(limit) = unified.remove("pids.max")
    {
        last.set_unified(Some([("pids.max".to_owned(), limit)].into()));
    }
    (first, last)
}
// ANCHOR_END: apart

// ANCHOR: change
impl Groups {
    /// Changes the limits of a running container from `old` by `new`, and returns what they are now, for its state file.
    ///
    /// If the kernel refuses one of them, the old ones are put back, as far as possible.
    pub fn change(&self, old: &LinuxResources, new: &LinuxResources) -> Result<LinuxResources> {
        let mut merged = merge(old, new);
        if let Err(error) = self.update(&merged) {
            let _ = self.update(old);
            return Err(error);
        }
        if new.pids().is_none() {
            merged.set_pids(*old.pids());
        }
        if new.unified().is_none() {
            merged.set_unified(old.unified().clone());
        }
        Ok(merged)
    }
}
// ANCHOR_END: change

/// The limits `old` of a running container, changed by `new`: what we write, and keep as its limits.
///
/// What `new` does not mention stays, with the exceptions that runc makes: `cpu.idle`, `cpu.burst`, the cpuset, `pids`
/// and `unified` are written only when they are mentioned. A quota and a period belong together: without both of them, they
/// are not written again, and with one of them, the other stays. Rules for devices cannot be changed.
pub fn merge(old: &LinuxResources, new: &LinuxResources) -> LinuxResources {
    let mut merged = old.clone();
    merged
        .set_pids(*new.pids())
        .set_unified(new.unified().clone());
    if new.cpu().is_some() || old.cpu().is_some() {
        let of = |resources: &LinuxResources| resources.cpu().clone().unwrap_or_default();
        merged.set_cpu(Some(merge_cpu(of(old), &of(new))));
    }
    if let Some(new) = new.memory() {
        merged.set_memory(Some(merge_memory(old.memory().unwrap_or_default(), new)));
    }
    if let Some(new) = new.block_io() {
        let old = old.block_io().clone().unwrap_or_default();
        merged.set_block_io(Some(merge_block_io(old, new)));
    }
    // These, runc does not read here. They replace what there was.
    if new.hugepage_limits().is_some() {
        merged.set_hugepage_limits(new.hugepage_limits().clone());
    }
    if new.network().is_some() {
        merged.set_network(new.network().clone());
    }
    if new.rdma().is_some() {
        merged.set_rdma(new.rdma().clone());
    }
    merged
}

// ANCHOR: merge_cpu
fn merge_cpu(old: LinuxCpu, new: &LinuxCpu) -> LinuxCpu {
    let mut cpu = old;
    let quota = new.quota().filter(|quota| *quota != 0);
    let period = new.period().filter(|period| *period != 0);
    if quota.is_some() || period.is_none() {
        cpu.set_quota(quota);
    }
    if period.is_some() || quota.is_none() {
        cpu.set_period(period);
    }
    cpu.set_burst(new.burst()).set_idle(new.idle());
    cpu.set_cpus(new.cpus().clone())
        .set_mems(new.mems().clone());
    // While a cgroup is idle, the kernel refuses shares.
    if new.shares().is_some() || new.idle().is_some() {
        cpu.set_shares(new.shares());
    }
    cpu.set_realtime_period(new.realtime_period().or(cpu.realtime_period()));
    cpu.set_realtime_runtime(new.realtime_runtime().or(cpu.realtime_runtime()));
    cpu
}
// ANCHOR_END: merge_cpu

// ANCHOR: merge_memory
fn merge_memory(old: LinuxMemory, new: &LinuxMemory) -> LinuxMemory {
    let mut memory = old;
    // No limit for the memory is none for memory and swap together, unless the request says otherwise.
    let swap = match (new.limit(), new.swap()) {
        (Some(-1), None) => None,
        (_, swap) => swap.or(memory.swap()),
    };
    memory.set_swap(swap);
    memory.set_limit(new.limit().or(memory.limit()));
    memory.set_reservation(new.reservation().or(memory.reservation()));
    memory.set_swappiness(new.swappiness().or(memory.swappiness()));
    memory.set_check_before_update(Some(new.check_before_update().unwrap_or(false)));
    memory.set_disable_oom_killer(new.disable_oom_killer().or(memory.disable_oom_killer()));
    memory
}
// ANCHOR_END: merge_memory

fn merge_block_io(old: LinuxBlockIo, new: &LinuxBlockIo) -> LinuxBlockIo {
    let mut merged = old.clone();
    merged.set_weight(new.weight().or(old.weight()));
    merged.set_leaf_weight(new.leaf_weight().or(old.leaf_weight()));
    merged.set_weight_device(replace(
        old.weight_device(),
        new.weight_device(),
        |one, two: &LinuxWeightDevice| (one.major(), one.minor()) == (two.major(), two.minor()),
    ));
    let is_same = |one: &LinuxThrottleDevice, two: &LinuxThrottleDevice| {
        (one.major(), one.minor()) == (two.major(), two.minor())
    };
    let read = replace(
        old.throttle_read_bps_device(),
        new.throttle_read_bps_device(),
        is_same,
    );
    let write = replace(
        old.throttle_write_bps_device(),
        new.throttle_write_bps_device(),
        is_same,
    );
    merged
        .set_throttle_read_bps_device(read)
        .set_throttle_write_bps_device(write);
    let read = replace(
        old.throttle_read_iops_device(),
        new.throttle_read_iops_device(),
        is_same,
    );
    let write = replace(
        old.throttle_write_iops_device(),
        new.throttle_write_iops_device(),
        is_same,
    );
    merged
        .set_throttle_read_iops_device(read)
        .set_throttle_write_iops_device(write);
    merged
}

/// The `old` devices without those that are in `new`, and then the `new` ones.
fn replace<T: Clone>(
    old: &Option<Vec<T>>,
    new: &Option<Vec<T>>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Option<Vec<T>> {
    let Some(new) = new else { return old.clone() };
    let is_kept = |one: &&T| !new.iter().any(|two| is_same(one, two));
    let kept = old.iter().flatten().filter(is_kept);
    Some(kept.chain(new).cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::cgroup::update::json::parse;

    fn merged(old: Value, new: Value) -> Value {
        let merged = merge(&parse(old).unwrap(), &parse(new).unwrap());
        serde_json::to_value(merged).unwrap()
    }

    #[test]
    fn a_quota_keeps_its_period() {
        let old = json!({"cpu": {"quota": 5, "period": 10, "shares": 100}});
        let of = |new: Value| merged(old.clone(), json!({"cpu": new}))["cpu"].clone();
        assert_eq!(
            of(json!({"quota": 6})),
            json!({"quota": 6, "period": 10, "shares": 100})
        );
        assert_eq!(
            of(json!({"period": 20})),
            json!({"quota": 5, "period": 20, "shares": 100})
        );
        assert_eq!(of(json!({"shares": 200})), json!({"shares": 200}));
        assert_eq!(of(json!({"idle": 1})), json!({"idle": 1}));
    }

    #[test]
    fn without_a_limit_there_is_none_for_swap_either() {
        let old = json!({"memory": {"limit": 10, "swap": 20}});
        let new = merged(old, json!({"memory": {"limit": -1}}));
        assert_eq!(
            new["memory"],
            json!({"limit": -1, "checkBeforeUpdate": false})
        );
    }
}
