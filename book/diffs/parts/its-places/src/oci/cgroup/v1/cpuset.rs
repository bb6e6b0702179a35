//! On which CPUs and memory nodes the container runs, in version 1: cpuset(7).
//!
//! A new cpuset has none, and takes no process until it does. So a new one gets those of the cgroup above it.

use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, statfs};

use crate::oci::cgroup::file::{read, write};

// ANCHOR: create
/// Creates the cpuset `group`, and those that are missing above it. None of them is left without CPUs.
pub fn create(group: &Path) -> io::Result<()> {
    let is_top = |group: &&Path| match statfs(*group) {
        Ok(kind) => kind.filesystem_type() == CGROUP_SUPER_MAGIC,
        Err(_) => true, // It does not exist yet.
    };
    let mut path: Vec<_> = group.ancestors().take_while(is_top).collect();
    path.reverse();
    for pair in path.windows(2) {
        let [above, group] = pair else { continue };
        fs::create_dir_all(group)?;
        for name in ["cpus", "mems"] {
            let name = file_name(group, name);
            if read(group, &name)?.trim().is_empty() {
                write(group, &name, read(above, &name)?.trim())?;
            }
        }
    }
    Ok(())
}
// ANCHOR_END: create

/// A hierarchy that is mounted with "noprefix", as on Android, has "cpus" in place of "cpuset.cpus".
fn file_name(group: &Path, name: &str) -> String {
    match group.join(name).exists() {
        true => name.to_owned(),
        false => format!("cpuset.{name}"),
    }
}
