//! From which nodes a process gets its memory, on machines that have several: set_mempolicy(2), numa(7).

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use oci_spec::runtime::{
    LinuxMemoryPolicy, MemoryPolicyFlagType as Flag, MemoryPolicyModeType as Mode, Spec,
};

use crate::oci::process::affinity;

/// In bits. [`affinity::parse`] returns no number beyond.
const MOST: usize = libc::CPU_SETSIZE as usize;

/// All modes and flags, with their numbers in linux/mempolicy.h.
pub const MODES: [(Mode, libc::c_int); 7] = [
    (Mode::MpolDefault, 0),
    (Mode::MpolPreferred, 1),
    (Mode::MpolBind, 2),
    (Mode::MpolInterleave, 3),
    (Mode::MpolLocal, 4),
    (Mode::MpolPreferredMany, 5),
    (Mode::MpolWeightedInterleave, 6),
];
pub const FLAGS: [(Flag, libc::c_int); 3] = [
    (Flag::MpolFNumaBalancing, 1 << 13),
    (Flag::MpolFRelativeNodes, 1 << 14),
    (Flag::MpolFStaticNodes, 1 << 15),
];

/// Does what linux.memoryPolicy says, for this process and those that it starts.
pub fn apply(spec: &Spec) -> Result<()> {
    let linux = spec.linux().as_ref();
    match linux.and_then(|linux| linux.memory_policy().as_ref()) {
        Some(policy) => set(policy).context("linux.memoryPolicy"),
        None => Ok(()),
    }
}

// ANCHOR: set
fn set(policy: &LinuxMemoryPolicy) -> Result<()> {
    let list = policy.nodes().as_deref().filter(|list| !list.is_empty());
    let nodes = list.map(affinity::parse).transpose();
    let nodes = nodes.with_context(|| format!("nodes: cannot use {:?}", list.unwrap_or("")))?;
    let nodes = nodes.unwrap_or_default();
    let takes_none = [Mode::MpolDefault, Mode::MpolLocal].contains(&policy.mode());
    ensure!(
        nodes.is_empty() || !takes_none,
        "mode requires 0 nodes but got {}",
        nodes.len()
    );
    let mut mask = [0_u64; MOST / 64];
    for node in nodes {
        mask[node / 64] |= 1 << (node % 64);
    }
    let has = |flag: &Flag| policy.flags().iter().flatten().any(|one| one == flag);
    let flags = FLAGS.iter().filter(|(flag, _)| has(flag));
    let mode = MODES.iter().filter(|(mode, _)| *mode == policy.mode());
    let mode = mode
        .map(|(_, bits)| bits)
        .chain(flags.map(|(_, bits)| bits));
    let mode = mode.fold(0, |all, bits| all | bits);
    // The kernel counts from one, whatever the manual says.
    let length = MOST + 1;
    // SAFETY: set_mempolicy(2) reads a mask of this length.
    let set = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask.as_ptr(), length) };
    Errno::result(set).context("cannot set it")?;
    Ok(())
}
// ANCHOR_END: set
