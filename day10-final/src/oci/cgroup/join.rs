//! Takes processes into a container's cgroups: the first one, and those that `exec` starts. cgroups(7).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{is_missing, reason, write};
use crate::oci::cgroup::hierarchy::{group_of, inside, mounted};

impl Groups {
    /// The directories that a process with a single thread enters by itself, before it has anything to do with the
    /// container: [`crate::cgroup::enter`].
    ///
    /// In version 1, this takes microseconds. If another process does it, it may take 15 ms, because the kernel holds up
    /// all the forks of the machine. In version 2 it always does, unless the process is `in_top` already.
    pub fn to_enter(&self, in_top: bool) -> Vec<PathBuf> {
        let top = self.paths.get("").map(PathBuf::as_path);
        let groups = self.directories().into_iter();
        let groups = groups.filter(|group| !(in_top && Some(*group) == top));
        groups.map(Path::to_owned).collect()
    }

    /// The directory of version 2, open, for a process to begin in it.
    pub fn top(&self) -> Result<Option<File>> {
        match self.paths.get("").map(File::open).transpose() {
            // The process will notice when it enters by itself.
            Err(error) if is_missing(&error) => Ok(None),
            top => top.context("cannot open the cgroup"),
        }
    }

    // ANCHOR: join
    /// Takes the process `pid` into the cgroups, for `exec`. `init` is the container's first process.
    ///
    /// With `--cgroup`, `below` has the path of the cgroup below the container's, for a controller or (with the key "")
    /// for all of them. Without it, the process may have to go where the container has moved `init`: in version 2, a
    /// cgroup that gives limits to those below it takes no processes.
    pub fn join(&self, pid: Pid, init: Pid, below: &BTreeMap<String, PathBuf>) -> Result<()> {
        for controller in below.keys().filter(|name| !name.is_empty()) {
            ensure!(
                self.paths.contains_key(controller),
                "unknown controller {controller:?} in --cgroup"
            );
        }
        let mut groups = BTreeMap::new();
        for (controller, group) in &self.paths {
            if let Some(sub) = below.get(controller).or(below.get("")) {
                // Also one that seems to come back: the container decides what is there.
                let climbs = sub.components().any(|part| part.as_os_str() == "..");
                ensure!(
                    !climbs,
                    "bad sub cgroup path: {} is not a sub cgroup path",
                    sub.display()
                );
                groups.insert(group.join(inside(sub)), false);
            } else {
                groups.insert(group.clone(), self.is_unified);
            }
        }
        for (group, may_follow) in groups {
            let Err(error) = move_into(&group, pid) else {
                continue;
            };
            let followed = may_follow && follow(init, pid).is_ok();
            // As in runc, an ordinary user's process may stay where it is.
            if !followed && !self.rootless {
                bail!(cannot_enter(&group, pid, &error));
            }
        }
        Ok(())
    }
    // ANCHOR_END: join
}

fn cannot_enter(group: &Path, pid: Pid, error: &io::Error) -> anyhow::Error {
    let (file, why) = (group.join("cgroup.procs"), reason(error));
    let file = file.display();
    anyhow!("error adding pid {pid} to cgroups: cannot write to {file}: {why}")
}

// ANCHOR: follow
/// Moves `pid` into the cgroup of version 2 that `init` is in.
fn follow(init: Pid, pid: Pid) -> Result<()> {
    let groups = fs::read_to_string(format!("/proc/{init}/cgroup"))?;
    let group = group_of(&groups, "").context("it has no cgroup")?;
    // If we are in a cgroup namespace, it does not show that.
    ensure!(
        !group.starts_with("/.."),
        "its cgroup {group} is out of reach"
    );
    let host = mounted()?;
    let top = host.iter().find(|hierarchy| hierarchy.name.is_empty());
    let top = &top.context("there is no cgroup v2")?.mount;
    Ok(move_into(&top.join(inside(Path::new(group))), pid)?)
}
// ANCHOR_END: follow

fn move_into(group: &Path, pid: Pid) -> io::Result<()> {
    let mut tries = 0..5;
    loop {
        let moved = write(group, "cgroup.procs", &pid.to_string());
        // The kernel says this of a process that is still being created.
        let is_early = moved
            .as_ref()
            .is_err_and(|error| error.raw_os_error() == Some(Errno::EINVAL as i32));
        if !is_early || tries.next().is_none() {
            return moved;
        }
        sleep(Duration::from_millis(30));
    }
}

/// The values of `exec --cgroup`: PATH (version 2), or CONTROLLER[,CONTROLLER…]:PATH.
pub fn parse_below(arguments: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    let mut below = BTreeMap::new();
    for argument in arguments {
        let (controllers, path) = match argument.split_once(':') {
            Some(parts) => parts,
            None if arguments.len() == 1 => ("", argument.as_str()),
            None => bail!("invalid --cgroup argument: {argument} (missing <controller>: prefix)"),
        };
        for controller in controllers.split(',') {
            ensure!(
                !controller.is_empty() || !argument.contains(':'),
                "invalid --cgroup argument: {argument} (empty <controller> prefix)"
            );
            let former = below.insert(controller.to_owned(), PathBuf::from(path));
            ensure!(
                former.is_none(),
                "invalid --cgroup argument(s): controller {controller} specified multiple times"
            );
        }
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_cgroups_are_parsed() {
        let parse = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| word.to_string()).collect();
            parse_below(&words).map(|below| below.into_keys().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(parse(&["sub"]).unwrap(), "");
        assert_eq!(
            parse(&["cpu,memory:a", "pids:b"]).unwrap(),
            "cpu memory pids"
        );
        for bad in [&[":a"][..], &["a", "cpu:b"], &["cpu:a", "cpu:b"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
