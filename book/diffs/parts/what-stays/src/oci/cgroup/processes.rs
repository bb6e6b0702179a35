//! The processes in a container's cgroups, and how all of them end.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::unistd::Pid;

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::{is_missing, read, reason, write};

/// How long the processes may take to end after SIGKILL. In an uninterruptible sleep, they end only after it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Groups {
    // ANCHOR: pids
    /// All processes in the container's cgroups, and in those below them.
    ///
    /// Fails only if one cannot be read. A cgroup that is not there has no processes.
    pub fn pids(&self) -> Result<BTreeSet<Pid>> {
        let mut pids = BTreeSet::new();
        for group in self.directories() {
            for group in tree(group) {
                let found = members(&group)
                    .map_err(|error| anyhow!(reason(&error)))
                    .with_context(|| format!("unable to get cgroup PIDs of {}", group.display()))?;
                pids.extend(found);
            }
        }
        Ok(pids)
    }
    // ANCHOR_END: pids

    // ANCHOR: kill_all
    /// Kills every process in the cgroups, frozen ones as well, and waits until they have gone.
    pub fn kill_all(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        loop {
            // From Linux 5.14, the kernel itself sees to it that none escapes.
            let whole = self
                .paths
                .get("")
                .map(|group| write(group, "cgroup.kill", "1"));
            if self.pids()?.is_empty() {
                return Ok(());
            }
            if !matches!(whole, Some(Ok(()))) || !self.is_unified {
                for pid in self.pids()? {
                    crate::signals::send(libc::SIGKILL, pid)?;
                }
            }
            let left = self.pids()?.len();
            ensure!(
                left == 0 || Instant::now() < end,
                "{left} processes of the container do not end, though they were killed"
            );
            sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
    // ANCHOR_END: kill_all
}

// ANCHOR: members
/// The processes in `group` itself.
fn members(group: &Path) -> io::Result<Vec<Pid>> {
    let threads = |error: io::Error| match error.raw_os_error() {
        // In a threaded cgroup, there are threads, not processes.
        Some(libc::EOPNOTSUPP) => read(group, "cgroup.threads"),
        _ => Err(error),
    };
    let pids = match read(group, "cgroup.procs").or_else(threads) {
        Err(error) if is_missing(&error) => String::new(),
        pids => pids?,
    };
    // A process of another PID namespace is listed as 0, and kill(2) would take that for our own group.
    let pids = pids
        .lines()
        .filter_map(|pid| pid.parse().ok())
        .filter(|pid| *pid > 0);
    Ok(pids.map(Pid::from_raw).collect())
}
// ANCHOR_END: members

// ANCHOR: tree
/// `group` and all cgroups below it, from the top. The container may add and remove some meanwhile.
pub fn tree(group: &Path) -> Vec<PathBuf> {
    let mut tree = vec![group.to_owned()];
    let mut next = 0;
    while let Some(group) = tree.get(next) {
        let entries = fs::read_dir(group).into_iter().flatten().flatten();
        let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let groups: Vec<_> = groups.map(|entry| entry.path()).collect();
        tree.extend(groups);
        next += 1;
    }
    tree
}
// ANCHOR_END: tree
