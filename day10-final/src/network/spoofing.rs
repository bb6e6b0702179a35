//! No container takes the address of another: nft(8), arp(7).
//!
//! The [`bridge`](super::bridge) calls it for each container.

use anyhow::Result;

use crate::failure::warn;
use crate::host::{has, run_with_stdin};
use crate::network::addresses::{BRIDGE, address, mac};
use crate::network::rules::is_there;
use crate::network::subnet::Subnet;

// ANCHOR: forbid
/// Each of the `veths` may bring what comes from its own MAC and its own address. Anything else is dropped.
///
/// Returns all rules of this host, as nft shows them: nft is running anyway, and a second start would take longer.
pub fn forbid(subnet: Subnet, veths: &[(u32, String)]) -> Result<String> {
    if !has("nft") {
        return Ok(String::new());
    }
    let senders = senders(subnet, veths).join(", ");
    let add = format!("add element bridge tiny-docker senders {{ {senders} }}\nlist ruleset\n");
    // Without the table, this fails: for the first container, and where somebody has flushed all rules.
    let list = run_with_stdin("nft -f -", &add).ok();
    let table = table();
    match list.filter(|list| is_there(list, &table)) {
        Some(list) => Ok(list),
        None => run_with_stdin("nft -f -", &(table + &add)).or_else(|error| {
            warn(&error.context("cannot prevent containers from using each other's addresses"));
            run_with_stdin("nft list ruleset", "")
        }),
    }
}

/// All three are made from the number in a veth's name, so they are still true for the next one that has it.
fn senders(subnet: Subnet, veths: &[(u32, String)]) -> Vec<String> {
    let sender = |(_, name): &(u32, String)| {
        let address = address(name, subnet)?;
        Some(format!("\"{name}\" . {} . {address}", mac(address)))
    };
    veths.iter().filter_map(sender).collect()
}
// ANCHOR_END: forbid

// ANCHOR: table
/// What the bridge asks before it learns anything from a frame, or passes it on.
///
/// Only IPv4 and ARP can be from one of the `senders`. IPv6 is not: we give no addresses of it, and with one router
/// advertisement a container would be the way out for its neighbours and the host (CVE-2020-13401).
///
/// Frames to 01:80:c2:00:00:02 and the like are for the bridge alone. They come to `input`, and never to `prerouting`.
fn table() -> String {
    format!(
        r#"
        add table bridge tiny-docker
        delete table bridge tiny-docker
        table bridge tiny-docker {{
            set senders {{
                type ifname . ether_addr . ipv4_addr
            }}
            chain from_veth {{
                iifname . ether saddr . ip saddr @senders accept
                iifname . ether saddr . arp saddr ip @senders iifname . arp saddr ether . arp saddr ip @senders accept
                drop
            }}
            chain prerouting {{
                type filter hook prerouting priority filter;
                iifname "{BRIDGE}-*" goto from_veth
            }}
            chain input {{
                type filter hook input priority filter;
                iifname "{BRIDGE}-*" goto from_veth
            }}
        }}
        "#
    )
}
// ANCHOR_END: table
