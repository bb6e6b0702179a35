//! The names and addresses on the bridge. They use no other room, and only this room uses them, except for the MAC
//! address that [`inspect`](crate::inspect) shows.

use std::fs;
use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::net::if_::if_nameindex;

use crate::network::subnet::Subnet;

pub const BRIDGE: &str = "td0";

const FULL: &str = "hint: stop a container first (tiny-docker ps lists them)";

/// The number of the address that was assigned last. For each device, the kernel keeps one number for any purpose: see
/// `tag` in the kernel's ip-sysctl.rst.
pub const LAST_GIVEN: &str = "/proc/sys/net/ipv4/conf/td0/tag";

/// How our MAC addresses begin.
pub const VENDOR: &str = "02:42";

/// The MAC address for an IP address, always the same one: whatever others remember stays true. The 02 says that it was
/// assigned by software.
pub fn mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{VENDOR}:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// The name of the veth that leads to the container with the address `number`.
pub fn name(number: u32) -> String {
    format!("{BRIDGE}-{number}")
}

/// The address of the container to which the veth `name` leads.
pub fn address(name: &str, subnet: Subnet) -> Option<Ipv4Addr> {
    let number = name.rsplit_once('-')?.1.parse().ok()?;
    (number <= subnet.last()).then(|| subnet.address(number))
}

// ANCHOR: next_number
/// The number of the next free address. The names of the host's devices are the register.
///
/// Addresses are assigned in turn: whoever still sends to a container that has ended does not reach a new one.
pub fn next_number(subnet: Subnet) -> Result<u32> {
    let last = fs::read_to_string(LAST_GIVEN).unwrap_or_default();
    let last = last.trim().parse().unwrap_or(0);
    let all = 2..=subnet.last();
    let free = || {
        let veths = veths().unwrap_or_default();
        let taken = |number: &u32| veths.iter().any(|(_, veth)| *veth == name(*number));
        let in_turn = all.clone().filter(|number| *number > last);
        in_turn.chain(all.clone()).find(|number| !taken(number))
    };
    soon(|| free().is_some());
    free().with_context(|| format!("all addresses in {subnet} are in use\n{FULL}"))
}
// ANCHOR_END: next_number

/// All our veths on this host, each with the kernel's number for it and its name.
pub fn veths() -> Result<Vec<(u32, String)>> {
    let devices = if_nameindex().context("cannot list network devices")?;
    let mut veths = Vec::new();
    for device in &devices {
        let name = device.name().to_string_lossy();
        if name.starts_with(BRIDGE) && name != BRIDGE {
            veths.push((device.index(), name.into_owned()));
        }
    }
    Ok(veths)
}

/// Whether `condition` becomes true within a second. The kernel dismantles a namespace a while after its last process.
pub fn soon(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(1);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
    true
}
