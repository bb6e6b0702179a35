//! Removes a container's cgroups: rmdir(2).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{is_missing, reason};
use crate::oci::cgroup::processes::tree;

impl Groups {
    /// Removes the container's cgroups, and those that it has created in them. Those above it stay.
    ///
    /// A cgroup is busy until its last process is gone: we try for two seconds in all. Fails if one cannot be removed then.
    pub fn remove(&self) -> Result<()> {
        let mut failed = Vec::new();
        let mut pauses = (0..11).map(|power| Duration::from_millis(1 << power));
        for group in self.directories() {
            if let Err(error) = remove_one(group, &mut pauses) {
                failed.push(format!("{} ({error})", group.display()));
            }
        }
        match failed.is_empty() {
            true => Ok(()),
            false => bail!("cannot remove the cgroups {}", failed.join(", ")),
        }
    }
}

// ANCHOR: remove_one
fn remove_one(group: &Path, pauses: &mut impl Iterator<Item = Duration>) -> Result<()> {
    let Ok(kind) = statfs(group) else {
        return Ok(()); // It has gone.
    };
    // A damaged state file could name any directory.
    if ![CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&kind.filesystem_type()) {
        bail!("it is no cgroup");
    }
    loop {
        // Mostly, that is all. If not, it is busy, or has others below it: those at the end of the list are the deepest.
        let removed = remove_directory(group).or_else(|_| {
            let tree = tree(group);
            tree.iter()
                .rev()
                .try_for_each(|group| remove_directory(group))
        });
        let Err(error) = removed else { return Ok(()) };
        match pauses.next() {
            Some(pause) if error.kind() == ErrorKind::ResourceBusy => sleep(pause),
            _ => bail!(reason(&error)),
        }
    }
}

fn remove_directory(group: &Path) -> io::Result<()> {
    match fs::remove_dir(group) {
        Err(error) if is_missing(&error) => Ok(()),
        removed => removed,
    }
}
// ANCHOR_END: remove_one
