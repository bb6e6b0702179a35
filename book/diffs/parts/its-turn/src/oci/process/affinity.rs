//! Which processors a process may use: sched_setaffinity(2), cpuset(7).

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::unistd::Pid;
use oci_spec::runtime::Process;

/// The most that a kernel can be built for. (`cpu_set_t` has room for the first 1024 only.)
const MOST: usize = 8192;

/// All that its cgroup allows. We may have fewer, and the container does not inherit that.
pub fn reset(pid: Pid) -> Result<()> {
    // Where it is not permitted, what we have is as good as any.
    let _ = set(pid, 0..MOST);
    Ok(())
}

/// Whether both lists can be read: before there is a process for them.
pub fn check(process: &Process) -> Result<()> {
    let Some(affinity) = process.exec_cpu_affinity() else {
        return Ok(());
    };
    let lists = [
        ("initial", affinity.initial()),
        ("final", affinity.cpu_affinity_final()),
    ];
    for (name, list) in lists {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty()) {
            parse(list)
                .with_context(|| format!("process.execCPUAffinity.{name}: cannot use {list:?}"))?;
        }
    }
    Ok(())
}

// ANCHOR: set
fn set(pid: Pid, cpus: impl IntoIterator<Item = usize>) -> nix::Result<()> {
    let mut mask = [0_u64; MOST / 64];
    for cpu in cpus {
        mask[cpu / 64] |= 1 << (cpu % 64);
    }
    // SAFETY: sched_setaffinity(2) reads a mask of this size.
    let set =
        unsafe { libc::sched_setaffinity(pid.as_raw(), size_of_val(&mask), mask.as_ptr().cast()) };
    Errno::result(set).map(drop)
}
// ANCHOR_END: set

/// The processors in "0-3,7".
pub fn parse(list: &str) -> Result<Vec<usize>> {
    let mut cpus = BTreeSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let [first, last] = [first, last].map(|text| text.trim().parse::<usize>());
        let (first, last) = (first?, last?);
        if first > last || last >= MOST {
            bail!("{part:?} is no range of processors");
        }
        cpus.extend(first..=last);
    }
    Ok(cpus.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        assert_eq!(parse("0-2,7").unwrap(), [0, 1, 2, 7]);
        assert_eq!(parse("8191").unwrap(), [8191]);
        for wrong in ["", "a", "2-1", "0-", "8192"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
