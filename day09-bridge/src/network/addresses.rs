//! The names and addresses on the bridge. Only this room uses them, and they use none of the others.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;

pub const BRIDGE: &str = "td0";

const FULL: &str = "hint: stop a container first (tiny-docker ps lists them)";

/// RFC 1918 leaves these addresses to everybody.
pub const NETWORK: &str = "10.10.0.0/24";
pub const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);

/// The bridge's own address. For the containers, it leads everywhere else.
pub const GATEWAY: Ipv4Addr = address(1);

pub const fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 0, number)
}

/// The MAC address for an IP address, always the same one: whatever others remember stays true. The 02 says that it was
/// assigned by software.
pub fn mac(number: u8) -> String {
    format!("02:42:0a:0a:00:{number:02x}")
}

/// The name of the veth that leads to the container with the address `number`.
pub fn name(number: u8) -> String {
    format!("{BRIDGE}-{number}")
}

/// The number of the first free address. The names of the host's devices are the register.
pub fn free_number() -> Result<u8> {
    let is_free = |number: &u8| if_nametoindex(name(*number).as_str()).is_err();
    let free = (2..255).find(is_free);
    free.with_context(|| format!("all addresses in {NETWORK} are in use\n{FULL}"))
}
