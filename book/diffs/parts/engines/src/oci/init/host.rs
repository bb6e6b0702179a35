//! What `tiny-runc init` does on the host: it opens what comes from there, and joins what exists.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{OwnedFd, RawFd};
use std::process::exit;

use anyhow::{Context, Error, Result};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::getppid;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};

use crate::cgroup;
use crate::oci::cgroup::file::is_missing;
use crate::oci::channel::{Channel, News, Orders};
use crate::oci::namespaces::{self, is_new};
use crate::oci::rootfs::{self, Sources};
use crate::privileges::forget_keys;

/// What comes from the host, opened on it.
#[derive(Default)]
pub struct Host {
    pub sources: Sources,
    /// Where the container's terminal goes.
    pub console: Option<OwnedFd>,
    /// Where we wait for `start`.
    pub gate: Option<OwnedFd>,
}

/// Receives the orders, opens, and joins. From here on, the next process can start in the new namespaces.
pub fn join(channel: &mut Channel) -> Result<(Orders, Host)> {
    set_pdeathsig(Signal::SIGKILL).context("cannot set the parent-death signal")?;
    let Some(orders) = channel.receive::<Orders>()? else {
        // The runtime has failed, and says why. Our stderr is the container's.
        exit(1);
    };
    let process = orders.spec.process().as_ref();
    if let Some(score) = process.and_then(|process| process.oom_score_adj()) {
        // Now, because inside, it may take more than we are allowed.
        fs::write("/proc/self/oom_score_adj", score.to_string())
            .with_context(|| format!("process.oomScoreAdj: cannot set {score}"))?;
    }
    if orders.new_keyring {
        forget_keys();
    }
    let given = match &orders.join {
        Some(container) => namespaces::open_of(container)?,
        None => namespaces::open_given(&orders.spec)?,
    };
    // Now: whoever traces a process in the container could use what it still has open of the host.
    enter_groups(channel, &orders)?;
    let is_network_apart = orders.join.is_none() && namespaces::is_network_apart(&orders.spec);
    if is_network_apart {
        // The answer may take a moment.
        channel.send(&News::NetworkWanted)?;
    }
    let mut host = Host::default();
    if orders.join.is_none() {
        host.sources = rootfs::open_sources(&orders)?;
    }
    // Now, since there may soon be another /proc.
    let mut writing = File::options();
    let clocks = writing.write(true).open("/proc/self/timens_offsets");
    if is_network_apart {
        join_network(channel)?;
    }
    namespaces::join(given, || match orders.join.is_none() {
        true => new_users(channel, &orders.spec),
        false => Ok(()),
    })?;
    if orders.join.is_none() && is_new(&orders.spec, Kind::Time) {
        let clocks = clocks.context("cannot open /proc/self/timens_offsets")?;
        new_clocks(&orders.spec, clocks)?;
    }
    Ok((orders, host))
}

// ANCHOR: enter_groups
/// Until we are in a new cgroup, it is empty, and whoever removes empty cgroups may have removed it.
fn enter_groups(channel: &mut Channel, orders: &Orders) -> Result<()> {
    let mut tries = 0..5;
    let is_gone = |error: &Error| error.downcast_ref().is_some_and(is_missing);
    loop {
        match cgroup::doors(&orders.to_enter).and_then(cgroup::enter) {
            Err(error) if is_gone(&error) && orders.join.is_none() && tries.next().is_some() => {
                channel.tell(News::GroupGone)?;
            }
            entered => return entered,
        }
    }
}
// ANCHOR_END: enter_groups

// ANCHOR: new_users
/// A new user namespace. Only the runtime may map more ids than its own user.
fn new_users(channel: &mut Channel, spec: &Spec) -> Result<()> {
    if !is_new(spec, Kind::User) {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(crate::namespaces::refused)
        .context("cannot create a user namespace")?;
    channel.tell(News::IdsWanted)?;
    namespaces::become_root()?;
    // Without this, not even our own files in /proc would be ours: proc(5).
    set_dumpable(true).context("cannot keep our files in /proc")
}
// ANCHOR_END: new_users

// ANCHOR: join_network
/// The network namespace that the runtime has created meanwhile.
fn join_network(channel: &mut Channel) -> Result<()> {
    let fd: RawFd = channel.receive()?.context("the runtime has ended")?;
    let network = File::open(format!("/proc/{}/fd/{fd}", getppid()));
    let network = network.context("cannot open the new network namespace")?;
    setns(network, CloneFlags::CLONE_NEWNET).context("cannot join the new network namespace")
}
// ANCHOR_END: join_network

// ANCHOR: new_clocks
/// A new time namespace, which the processes started from here on are in: time_namespaces(7).
fn new_clocks(spec: &Spec, mut clocks: File) -> Result<()> {
    let time = CloneFlags::from_bits_retain(Kind::Time as i32);
    unshare(time).context("cannot create a time namespace")?;
    let offsets = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.time_offsets().as_ref());
    let mut lines = Vec::new();
    for (clock, offset) in offsets.into_iter().flatten() {
        let (seconds, nanoseconds) = (offset.secs(), offset.nanosecs());
        let (seconds, nanoseconds) = (seconds.unwrap_or(0), nanoseconds.unwrap_or(0));
        lines.push(format!("{clock} {seconds} {nanoseconds}"));
    }
    if lines.is_empty() {
        return Ok(());
    }
    // The kernel takes them in one go, and nothing after that.
    clocks
        .write_all(lines.join("\n").as_bytes())
        .with_context(|| format!("linux.timeOffsets: cannot set {}", lines.join(", ")))
}
// ANCHOR_END: new_clocks
