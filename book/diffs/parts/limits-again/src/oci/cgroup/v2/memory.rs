//! `linux.resources.memory` in version 2. The specification's `swap` is memory and swap together; the kernel's file is
//! for swap alone.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use oci_spec::runtime::LinuxMemory;

use crate::oci::cgroup::file::{self, number, refused, write};

/// Whether there is a limit in it.
pub fn is_set(memory: &LinuxMemory) -> bool {
    let limits = [memory.limit(), memory.reservation(), memory.swap()];
    limits.into_iter().flatten().any(|bytes| bytes != 0)
}

/// Writes the limits.
///
/// With `checkBeforeUpdate`, fails if they are below what is in use. Without it, the kernel frees memory, and if that
/// is not enough, kills.
pub fn set(group: &Path, memory: &LinuxMemory) -> Result<()> {
    let of = |bytes: Option<i64>| bytes.filter(|bytes| *bytes != 0);
    let (limit, with_swap) = (of(memory.limit()), of(memory.swap()));
    if memory.check_before_update() == Some(true) {
        // What cannot be read is not checked. (The cgroup may be about to be created.)
        let usage = number(group, "memory.current").unwrap_or(0);
        let is_below = |bytes: i64| bytes > 0 && bytes as u64 <= usage;
        for (what, bytes) in [("memory+swap", with_swap), ("memory", limit)] {
            let bytes = bytes.unwrap_or(0);
            ensure!(
                !is_below(bytes),
                "rejecting {what} limit {bytes} <= usage {usage}"
            );
        }
    }
    if let Some(value) = swap(limit, with_swap)? {
        match write(group, "memory.swap.max", &value) {
            // A kernel that does not count swap: no limit is what it has, and there may be no swap at all.
            Err(error)
                if error.kind() == ErrorKind::NotFound && ["max", "0"].contains(&&*value) => {}
            Err(error) => {
                return Err(refused(
                    group,
                    "memory.swap",
                    "memory.swap.max",
                    &value,
                    &error,
                ));
            }
            Ok(()) => (),
        }
    }
    if let Some(limit) = limit {
        file::set(group, "memory.limit", "memory.max", or_max(limit))?;
    }
    if let Some(reservation) = of(memory.reservation()) {
        file::set(
            group,
            "memory.reservation",
            "memory.low",
            or_max(reservation),
        )?;
    }
    Ok(())
}

fn or_max(bytes: i64) -> String {
    if bytes == -1 {
        "max".to_owned()
    } else {
        bytes.to_string()
    }
}

// ANCHOR: swap
/// What to write to memory.swap.max, if anything.
fn swap(limit: Option<i64>, with_swap: Option<i64>) -> Result<Option<String>> {
    let swap = match (limit, with_swap) {
        // As in version 1, which has no limit for both without one for the memory.
        (Some(-1), None) => -1,
        (_, None) => return Ok(None),
        (_, Some(-1)) => -1,
        (Some(-1), Some(with_swap)) => with_swap,
        (None, Some(_)) => bail!(
            "linux.resources.memory.swap: unable to set swap limit without memory limit\n\
             hint: cgroup v2 counts swap alone: set linux.resources.memory.limit as well"
        ),
        (Some(limit), Some(with_swap)) => {
            ensure!(
                limit >= 0,
                "linux.resources.memory.limit: invalid memory value: {limit}"
            );
            ensure!(
                with_swap >= limit,
                "linux.resources.memory.swap: memory+swap limit should be >= memory limit"
            );
            with_swap - limit
        }
    };
    Ok(Some(or_max(swap)))
}
// ANCHOR_END: swap

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_counted_alone() {
        let of = |limit, with_swap| swap(limit, with_swap).unwrap();
        assert_eq!(of(Some(30), Some(50)).as_deref(), Some("20"));
        assert_eq!(of(Some(30), Some(30)).as_deref(), Some("0"));
        assert_eq!(of(Some(-1), None).as_deref(), Some("max"));
        assert_eq!(of(Some(30), Some(-1)).as_deref(), Some("max"));
        assert_eq!(of(Some(30), None), None);
        assert!(swap(None, Some(50)).is_err());
        assert!(swap(Some(50), Some(30)).is_err());
    }
}
