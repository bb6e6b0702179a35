//! Stops all processes of a container, and lets them go on: `pause` and `resume`. The kernel's freezer-subsystem.rst,
//! and cgroup.freeze in cgroup-v2.rst.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{Reading, number_of, read, read_if_there, write};

const NONE: &str = "cannot toggle freezer: cgroups not configured for container";

/// How long to wait until the last process has stopped.
const PATIENCE: Duration = Duration::from_secs(5);

impl Groups {
    // ANCHOR: freeze
    /// Freezes the container, and returns when all its processes stand still. If that fails, none does.
    pub fn freeze(&self) -> Result<()> {
        let group = self.path("freezer").context(NONE)?;
        let frozen = if self.is_unified {
            freeze_v2(group)
        } else {
            freeze_v1(group)
        };
        if frozen.is_err() {
            let _ = self.thaw();
        }
        frozen.context("unable to freeze")
    }
    // ANCHOR_END: freeze

    /// Lets the container go on. Without a freezer, it never stopped.
    pub fn thaw(&self) -> Result<()> {
        let Some(group) = self.path("freezer") else {
            return Ok(());
        };
        let (name, value) = match self.is_unified {
            true => ("cgroup.freeze", "0"),
            false => ("freezer.state", "THAWED"),
        };
        if !group.join(name).exists() {
            return Ok(());
        }
        write(group, name, value).with_context(|| format!("unable to thaw: cannot write to {name}"))
    }

    // ANCHOR: is_frozen
    /// Whether the container itself is frozen. One that stands still because a cgroup above it is frozen does not
    /// count: `resume` would not help.
    pub fn is_frozen(&self) -> Result<bool> {
        let Some(group) = self.path("freezer") else {
            return Ok(false);
        };
        let name = if self.is_unified {
            "cgroup.freeze"
        } else {
            "freezer.self_freezing"
        };
        let state = read_if_there(group, name).reading(group, name)?;
        Ok(state.is_some_and(|state| state.trim() == "1"))
    }
    // ANCHOR_END: is_frozen
}

fn freeze_v2(group: &Path) -> Result<()> {
    write(group, "cgroup.freeze", "1").context("cannot write to cgroup.freeze")?;
    let end = Instant::now() + PATIENCE;
    while number_of(group, "cgroup.events", "frozen").reading(group, "cgroup.events")? == 0 {
        ensure!(Instant::now() < end, "a process does not stop");
        sleep(Duration::from_millis(1));
    }
    Ok(())
}

// ANCHOR: freeze_v1
/// In version 1, a process that is created meanwhile may leave the cgroup "FREEZING" for ever. Then it takes another
/// attempt, and now and then a moment in which the processes go on.
fn freeze_v1(group: &Path) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    for attempt in 1.. {
        if attempt % 50 == 0 {
            let _ = write(group, "freezer.state", "THAWED");
            sleep(Duration::from_millis(10));
        }
        write(group, "freezer.state", "FROZEN").context("cannot write to freezer.state")?;
        if attempt > 25 {
            sleep(Duration::from_micros(100));
        }
        match read(group, "freezer.state")
            .reading(group, "freezer.state")?
            .trim()
        {
            "FROZEN" => return Ok(()),
            "FREEZING" => ensure!(Instant::now() < end, "a process does not stop"),
            other => bail!("unexpected state {other:?}"),
        }
    }
    unreachable!("the loop has no end")
}
// ANCHOR_END: freeze_v1
