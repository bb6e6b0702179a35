//! `--net bridge`: a veth pair connects the container with a bridge on the host. ip-link(8), veth(4).

use std::fs::{File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::net::if_::if_nametoindex;
use nix::unistd::Pid;

use crate::failure::warn;
use crate::host::run_with_stdin;
use crate::network::addresses::{BRIDGE, GATEWAY, NETWORK, address, free_number, mac, name};
use crate::network::firewall::enable_nat;
use crate::state::lock;

/// Whoever changes the host's network holds this lock.
const LOCK: &str = "/run/tiny-docker.lock";

/// How long we wait for others. Each holds the lock for a few hundredths of a second, but there may be many.
const SECONDS: u64 = 300;

const INSTEAD: &str = "hint: use --net isolated, which needs no bridge";

/// Connects the container whose PID 1 is `container`, and returns its address. Creates the bridge if there is none.
///
/// The veth's end on the host is named after the number of the address. The kernel allows each name only once, and
/// removes the veth along with the container's namespace, however that ends. So there is nothing to tidy up.
pub fn attach(container: Pid) -> Result<Ipv4Addr> {
    let _lock = lock()?;
    let bridge = bridge()?;
    let number = free_number()?;
    let (veth, mac) = (name(number), mac(number));
    let commands = format!(
        "{bridge}
        link add {veth} type veth peer name eth0 address {mac} netns {container}
        link set {veth} master {BRIDGE} up"
    );
    run_with_stdin("ip -batch -", &commands).map_err(|error| anyhow!("{error}\n{INSTEAD}"))?;
    if let Err(error) = enable_nat() {
        warn(&error.context("containers cannot reach any other network"));
    }
    Ok(address(number))
}

/// The commands that create the bridge, or repair it: somebody may have removed its address, or switched it off.
///
/// It stays when the last container ends, since the next one needs it again.
fn bridge() -> Result<String> {
    let mac = mac(1);
    let mut commands = String::new();
    if if_nametoindex(BRIDGE).is_ok() {
        let found = run_with_stdin(&format!("ip link show {BRIDGE}"), "")?;
        ensure!(found.contains(&mac), "{BRIDGE} belongs to another program");
    } else {
        check_addresses()?;
        commands = format!("link add {BRIDGE} address {mac} type bridge\n");
    }
    commands += &format!("addr replace {GATEWAY}/24 dev {BRIDGE}\nlink set {BRIDGE} up");
    Ok(commands)
}

/// Two routes to the same addresses would be one too many.
fn check_addresses() -> Result<()> {
    // First the routes to networks that contain ours, then those to networks in ours: ip-route(8).
    let lines = format!("route show match {NETWORK}\nroute show root {NETWORK}\n");
    let routes = run_with_stdin("ip -batch -", &lines)?;
    let other = routes.lines().find(|route| !route.starts_with("default"));
    if let Some(route) = other.and_then(|route| route.split(" proto").next()) {
        bail!("{NETWORK} overlaps {route}\n{INSTEAD}");
    }
    Ok(())
}

/// Whoever may open the file may lock it, and nobody else should hold up the network.
fn lock() -> Result<File> {
    let mut options = OpenOptions::new();
    let lock = options.create(true).append(true).mode(0o600).open(LOCK);
    let lock = lock.with_context(|| format!("cannot lock {LOCK}"))?;
    lock::wait(&lock, LOCK.as_ref(), SECONDS)?;
    Ok(lock)
}
