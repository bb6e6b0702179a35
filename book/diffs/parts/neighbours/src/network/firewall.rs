//! The way out, and no way in: nft(8), iptables(8).

use std::fs;

use anyhow::{Context, Result};

use crate::failure::warn;
use crate::host::{has, run_with_stdin};
use crate::network::addresses::BRIDGE;
use crate::network::rules::{in_chains, is_there};
use crate::network::subnet::Subnet;

/// How nft shows that a rule in somebody else's table is ours.
const COMMENT: &str = "comment \"tiny-docker\"";

/// Our own table, with the blank after its name.
const OURS: &str = "ip tiny-docker ";

// ANCHOR: enable_nat
/// Lets containers talk to the outside. From there, only answers come in.
///
/// With nft, `rules` is its complete list. Rules that are there stay: a firewall transaction takes as long as an entire
/// container.
pub fn enable_nat(subnet: Subnet, rules: Result<String>) -> Result<()> {
    match tool()? {
        "nft" => use_nft(subnet, &rules?),
        iptables => use_iptables(iptables, subnet),
    }
}

/// The one to use on this host.
fn tool() -> Result<&'static str> {
    let tool = tools().into_iter().find(|tool| has(tool));
    tool.context("neither nft nor iptables is in PATH\nhint: install nftables")
}

/// The best comes first. nft sees all rules except those of an iptables of the old kind.
fn tools() -> [&'static str; 3] {
    let old = fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    match old.contains("filter") {
        true => ["iptables-legacy", "iptables", "nft"],
        false => ["nft", "iptables", "iptables-legacy"],
    }
}
// ANCHOR_END: enable_nat

// ANCHOR: nft
/// Makes a table of our own, and adds two rules at the beginning of each other chain that sees forwarded packets.
///
/// A packet goes through all such chains, and passes if none drops it: "accept" ends only one of them.
fn use_nft(subnet: Subnet, list: &str) -> Result<()> {
    let table = our_table(subnet);
    let is_for_subnet = list.contains(&format!("ip saddr {subnet} oifname"));
    if !(is_there(list, &table) && is_for_subnet) {
        run_with_stdin("nft -f -", &table)?;
    }
    let there = in_chains(list);
    let forwards = |(chain, line): &&(String, &str)| {
        let is_for_ipv4 = chain.starts_with("ip ") || chain.starts_with("inet ");
        is_for_ipv4 && line.starts_with("type filter hook forward")
    };
    for (chain, _) in there.iter().filter(forwards) {
        let mut rules = there.iter().filter(|(of, _)| of == chain);
        if chain.starts_with(OURS) || rules.any(|(_, rule)| rule.contains(COMMENT)) {
            continue;
        }
        let insert =
            |direction| format!("insert rule {chain} {direction} {BRIDGE} accept {COMMENT}\n");
        let both = insert("iifname") + &insert("oifname");
        if let Err(error) = run_with_stdin("nft -f -", &both) {
            warn(&error.context(format!("{chain} may block the traffic of containers")));
        }
    }
    Ok(())
}

/// Our entire table, which replaces the old one: `add` makes sure that `delete` finds one.
fn our_table(subnet: Subnet) -> String {
    format!(
        r#"
        add table ip tiny-docker
        delete table ip tiny-docker
        table ip tiny-docker {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {subnet} oifname != "{BRIDGE}" masquerade
            }}
            chain forward {{
                type filter hook forward priority filter;
                iifname != "{BRIDGE}" oifname "{BRIDGE}" ct state != {{ established, related }} drop
            }}
        }}
        "#
    )
}
// ANCHOR_END: nft

// ANCHOR: iptables
/// Does the same with chains of our own, to which the host's chains jump.
fn use_iptables(iptables: &str, subnet: Subnet) -> Result<()> {
    let mut lines = String::new();
    for (table, jump, rules) in iptables_rules(subnet) {
        // This creates the chain, or empties it.
        lines += &format!("*{table}\n:TINY-DOCKER - [0:0]\n{rules}");
        let there = run_with_stdin(&format!("{iptables} -w -t {table} -S"), "")?;
        if !there.contains(jump) {
            lines += &format!("-I {jump}\n");
        }
        lines += "COMMIT\n";
    }
    run_with_stdin(&format!("{iptables}-restore -w --noflush"), &lines)?;
    Ok(())
}

/// For each table: the rule that jumps to our chain, and the rules in that chain.
fn iptables_rules(subnet: Subnet) -> [(&'static str, &'static str, String); 2] {
    let nat = format!("-A TINY-DOCKER -s {subnet} ! -o {BRIDGE} -j MASQUERADE\n");
    let filter = format!(
        "-A TINY-DOCKER -i {BRIDGE} -j ACCEPT\n\
        -A TINY-DOCKER -o {BRIDGE} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n\
        -A TINY-DOCKER -o {BRIDGE} -j DROP\n"
    );
    [
        ("nat", "POSTROUTING -j TINY-DOCKER", nat),
        ("filter", "FORWARD -j TINY-DOCKER", filter),
    ]
}
// ANCHOR_END: iptables
