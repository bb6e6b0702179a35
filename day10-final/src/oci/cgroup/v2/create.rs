//! Creates a cgroup of version 2: "Organizing Processes and Threads" in cgroup-v2.rst.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use oci_spec::runtime::LinuxResources;

use crate::oci::cgroup::file::{read, write};
use crate::oci::cgroup::v2::wants_domain;

/// Creates `group`, and those that are missing above it. Enables all controllers, from the top down: a
/// cgroup has those that the cgroup above it enables.
pub fn create(group: &Path, resources: &LinuxResources) -> io::Result<()> {
    let in_tree = |group: &&Path| match statfs(*group) {
        Ok(kind) => kind.filesystem_type() == CGROUP2_SUPER_MAGIC,
        Err(_) => true, // It does not exist yet.
    };
    let mut path: Vec<_> = group.ancestors().take_while(in_tree).collect();
    path.reverse();
    let top = path.first().ok_or(ErrorKind::NotFound)?;
    let controllers = read(top, "cgroup.controllers")?;
    let controllers: Vec<_> = controllers
        .split_whitespace()
        .map(|controller| format!("+{controller}"))
        .collect();
    let mut made = Vec::new();
    for each in &path {
        if let Err(error) = create_one(each, resources, &mut made) {
            made.iter()
                .rev()
                .for_each(|group| drop(fs::remove_dir(group)));
            return Err(error);
        }
        // Those that cannot be enabled (there are processes in the cgroup, or we may not) are missed only when a limit
        // must be written.
        let file = "cgroup.subtree_control";
        if *each != group && write(each, file, &controllers.join(" ")).is_err() {
            controllers
                .iter()
                .for_each(|controller| drop(write(each, file, controller)));
        }
    }
    Ok(())
}

fn create_one<'a>(
    group: &'a Path,
    resources: &LinuxResources,
    made: &mut Vec<&'a Path>,
) -> io::Result<()> {
    match fs::create_dir(group) {
        Ok(()) => made.push(group),
        Err(_) if group.is_dir() => (),
        Err(error) => return Err(error),
    }
    // The top has no type.
    let kind = read(group, "cgroup.type").unwrap_or_default();
    match kind.trim() {
        kind @ ("domain invalid" | "threaded" | "domain threaded") if wants_domain(resources) => {
            let error = format!("with domain controllers, it cannot be entered: it is {kind}");
            Err(io::Error::other(error))
        }
        // There are processes in a cgroup above. Then only controllers that count for each thread can be had here.
        "domain invalid" => {
            let _ = write(group, "cgroup.type", "threaded");
            Ok(())
        }
        _ => Ok(()),
    }
}
