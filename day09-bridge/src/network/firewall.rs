//! The way out, and no way in: nft(8).

use std::fs;

use anyhow::{Context, Result};

use crate::failure::warn;
use crate::host::run_with_stdin;
use crate::network::addresses::{BRIDGE, NETWORK};

/// How nft shows that a rule in somebody else's table is ours.
const COMMENT: &str = "comment \"tiny-docker\"";

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// Lets containers talk to the outside. From there, only answers come in.
///
/// This is done again for each container: somebody may have reloaded the host's own rules and settings. Forwarding
/// stays on, since others may rely on it by the time we end.
pub fn enable_nat() -> Result<()> {
    let list = run_with_stdin("nft -f -", &(our_table() + "list ruleset\n"))?;
    for chain in closed_chains(&list) {
        let insert =
            |direction| format!("insert rule {chain} {direction} {BRIDGE} accept {COMMENT}\n");
        let both = insert("iifname") + &insert("oifname");
        if let Err(error) = run_with_stdin("nft -f -", &both) {
            warn(&error.context(format!("{chain} may block the traffic of containers")));
        }
    }
    let forwards = fs::read_to_string(FORWARDING).context("cannot read ip_forward")?;
    if forwards.trim() == "0" {
        fs::write(FORWARDING, "1").context("cannot enable ip_forward")?;
    }
    Ok(())
}

/// Our entire table, which replaces the old one: `add` makes sure that `delete` finds one.
fn our_table() -> String {
    format!(
        r#"
        add table ip tiny-docker
        delete table ip tiny-docker
        table ip tiny-docker {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {NETWORK} oifname != "{BRIDGE}" masquerade
            }}
            chain forward {{
                type filter hook forward priority filter;
                iifname != "{BRIDGE}" oifname "{BRIDGE}" ct state != {{ established, related }} drop
            }}
        }}
        "#
    )
}

/// The chains in nft's list, for example "ip filter FORWARD", that see forwarded packets and do not accept ours yet.
///
/// A packet goes through all such chains, and passes if none drops it: "accept" ends only one of them.
fn closed_chains(list: &str) -> Vec<String> {
    let (mut table, mut chain, mut closed) = ("", String::new(), Vec::new());
    for line in list.lines().map(str::trim) {
        let name = line.split(" {").next().unwrap_or(line);
        if let Some(name) = name.strip_prefix("table ") {
            table = name;
        } else if let Some(name) = name.strip_prefix("chain ") {
            chain = format!("{table} {name}");
        } else if line.starts_with("type filter hook forward") {
            closed.push(chain.clone());
        } else if line.contains(COMMENT) {
            closed.retain(|closed| *closed != chain);
        }
    }
    let is_for_ipv4 = |chain: &str| chain.starts_with("ip ") || chain.starts_with("inet ");
    closed.retain(|chain| is_for_ipv4(chain) && !chain.starts_with("ip tiny-docker "));
    closed
}
