//! Removes what containers have left on the host's network: the cable, the rules, and in the end the bridge.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::net::if_::if_nametoindex;
use nix::unistd::geteuid;

use crate::bridge::{ALIAS, BRIDGE, FORWARDING, VENDOR, cables, lock};
use crate::host::{program, type_into};
use crate::{firewall, publish, spoofing};

/// Removing a bridge and its rules takes longer than a container: the next one may come soon.
const LINGER: Duration = Duration::from_secs(1);

// ANCHOR: tidy_up
/// Has [`tidy_up`] done in the background.
pub fn tidy_up_later(cable: Option<u32>) {
    let mut command = program("/proc/self/exe");
    command
        .arg("tidy-up")
        .args(cable.map(|index| index.to_string()))
        .current_dir("/")
        .process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Any later command of ours tries again.
    let _ = command.spawn();
}

/// Where a `run` was killed that should have done it.
pub fn tidy_up_abandoned() {
    let there = geteuid().is_root() && if_nametoindex(BRIDGE).is_ok();
    let unused = || cables().is_ok_and(|cables| cables.is_empty());
    if there && (unused() || publish::is_in_use()) {
        tidy_up_later(None);
    }
}

/// After a while, removes the cable with the number `ours` and, if it was the last, the bridge and its rules.
pub fn tidy_up(ours: Option<u32>) -> Result<()> {
    sleep(LINGER);
    let _lock = lock()?;
    // It is still there where somebody has stayed in the namespace.
    for (_, name) in cables()?.iter().filter(|(index, _)| ours == Some(*index)) {
        type_into(&format!("ip link del {name}"), "")?;
    }
    let cables = cables()?;
    if if_nametoindex(BRIDGE).is_ok() && cables.is_empty() {
        remove()?;
    } else if publish::is_in_use() {
        let exists = |index| cables.iter().any(|(number, _)| *number == index);
        publish::withdraw(firewall::tool()?, |index| !exists(index))?;
    }
    Ok(())
}

/// Removes the bridge and its rules.
pub fn remove() -> Result<()> {
    let link = type_into(&format!("ip link show {BRIDGE}"), "")?;
    // One whose maker was killed too early has no alias, but already an address as only we give them.
    let is_ours = link.contains(ALIAS) || link.contains(&format!("link/ether {VENDOR}"));
    ensure!(is_ours, "{BRIDGE} is not one of ours");
    firewall::close();
    spoofing::permit();
    if link.contains(&format!("{ALIAS}-0")) {
        // Where it could not be switched on, this cannot be done either.
        let _ = fs::write(FORWARDING, "0");
    }
    type_into(&format!("ip link del {BRIDGE}"), "")?;
    Ok(())
}
// ANCHOR_END: tidy_up
