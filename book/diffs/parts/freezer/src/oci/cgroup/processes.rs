//! The processes in a container's cgroups, and how all of them end.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
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

    // ANCHOR: signal_all
    /// Sends `signal` to every process in the cgroups. They are frozen meanwhile, so that none escapes by forking.
    ///
    /// A container that was frozen before stays so. Without a freezer, the processes are listed and signalled until
    /// there is no new one.
    pub fn signal_all(&self, signal: i32) -> Result<()> {
        let was_frozen = self.is_frozen()?;
        let frozen = was_frozen || self.freeze().is_ok();
        let mut done = BTreeSet::new();
        let signalled = loop {
            let pids = match self.pids() {
                Ok(pids) => pids,
                Err(error) => break Err(error),
            };
            let new: Vec<_> = pids.difference(&done).copied().collect();
            // One that has ended meanwhile is no failure. After another one, the rest still gets the signal.
            let sent = new.iter().map(|pid| {
                // SAFETY: kill(2) takes two numbers. (nix's version does not know the real-time signals.)
                Errno::result(unsafe { libc::kill(pid.as_raw(), signal) })
            });
            let failures = sent
                .filter_map(Result::err)
                .filter(|errno| *errno != Errno::ESRCH);
            let failures: Vec<_> = failures.collect();
            match failures.first() {
                Some(errno) => break Err((*errno).into()),
                // So many are an attack. What is left is for the caller to find.
                None if new.is_empty() || frozen || done.len() > 1 << 22 => break Ok(()),
                None => done.extend(new),
            }
        };
        if frozen && !was_frozen {
            self.thaw()?;
        }
        signalled
            .with_context(|| format!("cannot send signal {signal} to the container's processes"))
    }
    // ANCHOR_END: signal_all

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
                self.signal_all(libc::SIGKILL)?;
                // In version 1, a frozen process does not end.
                self.thaw()?;
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
