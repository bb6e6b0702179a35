//! The way out, and no way in: nft(8), iptables(8).

use std::fs;

use anyhow::{Result, bail};

use crate::failure::warn;
use crate::host::{has, run_with_stdin};
use crate::network::subnet::Subnet;

/// What nft shows at those of our rules that are in tables of others.
const COMMENT: &str = "comment \"tiny-docker\"";

/// Our own table, with the blank that ends its name.
const OURS: &str = "ip tiny-docker ";

// ANCHOR: open
/// Lets the containers in `subnet`, behind `bridge`, talk to the outside. From there, only answers come in.
///
/// Existing rules stay as they are: a firewall transaction takes as long as an entire container.
pub fn open(bridge: &str, subnet: Subnet) -> Result<()> {
    match tools().into_iter().find(|tool| has(tool)) {
        Some("nft") => open_with_nft(bridge, subnet),
        Some(iptables) => open_with_iptables(iptables, bridge, subnet),
        None => bail!("neither nft nor iptables is in PATH\nhint: install nftables"),
    }
}

/// Best first. nft sees all rules but those of an iptables of the old kind.
fn tools() -> [&'static str; 3] {
    let old = fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    match old.contains("filter") {
        true => ["iptables-legacy", "iptables", "nft"],
        false => ["nft", "iptables", "iptables-legacy"],
    }
}
// ANCHOR_END: open

// ANCHOR: nft
/// A table of our own, and in each chain of others that sees forwarded packets, two rules at its beginning.
///
/// A packet goes through all those chains, and passes if none drops it: "accept" is for one chain only.
fn open_with_nft(bridge: &str, subnet: Subnet) -> Result<()> {
    let list = run_with_stdin("nft list ruleset", "")?;
    let table = our_table(bridge, subnet);
    let is_for_subnet = list.contains(&format!("ip saddr {subnet} oifname"));
    if !(is_there(&list, &table) && is_for_subnet) {
        run_with_stdin("nft -f -", &table)?;
    }
    let there = in_chains(&list);
    let forwards = |line: &str| line.starts_with("type filter hook forward");
    for (chain, _) in there.iter().filter(|(_, line)| forwards(line)) {
        let mut rules = there.iter().filter(|(of, _)| of == chain);
        if chain.starts_with(OURS) || rules.any(|(_, rule)| rule.contains(COMMENT)) {
            continue;
        }
        let insert =
            |direction| format!("insert rule {chain} {direction} {bridge} accept {COMMENT}\n");
        let both = insert("iifname") + &insert("oifname");
        if let Err(error) = run_with_stdin("nft -f -", &both) {
            warn(&error.context(format!("{chain} may keep containers from the outside")));
        }
    }
    Ok(())
}

/// The entire table, in place of the old one: `add` makes sure that `delete` finds one.
fn our_table(bridge: &str, subnet: Subnet) -> String {
    format!(
        r#"
        add table ip tiny-docker
        delete table ip tiny-docker
        table ip tiny-docker {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {subnet} oifname != "{bridge}" masquerade
            }}
            chain forward {{
                type filter hook forward priority filter;
                iifname != "{bridge}" oifname "{bridge}" ct state != {{ established, related }} drop
            }}
        }}
        "#
    )
}

/// Whether each chain in nft's list has at least as many lines as in `table`. (nft words some of them differently.)
fn is_there(list: &str, table: &str) -> bool {
    let (there, ours) = (in_chains(list), in_chains(table));
    let count = |lines: &[(String, &str)], chain: &String| {
        lines.iter().filter(|(of, _)| of == chain).count()
    };
    let all_of = |(chain, _): &(String, &str)| count(&there, chain) >= count(&ours, chain);
    ours.iter().all(all_of)
}

/// The lines of a list by nft, each with its chain, as "ip filter FORWARD". Only those for IPv4.
fn in_chains(list: &str) -> Vec<(String, &str)> {
    let (mut table, mut chain, mut lines) = ("", "", Vec::new());
    for line in list.lines().map(str::trim) {
        let name = line.split(" {").next().unwrap_or(line);
        if let Some(name) = name.strip_prefix("table ") {
            (table, chain) = (name, "");
        } else if let Some(name) = name.strip_prefix("chain ") {
            chain = name;
        } else if line == "}" {
            chain = "";
        } else if table.starts_with("ip ") || table.starts_with("inet ") {
            lines.push((format!("{table} {chain}"), line));
        }
    }
    lines
}
// ANCHOR_END: nft

// ANCHOR: iptables
/// The same with chains of our own, to which the host's lead.
fn open_with_iptables(iptables: &str, bridge: &str, subnet: Subnet) -> Result<()> {
    let mut lines = String::new();
    for (table, jump, rules) in iptables_rules(bridge, subnet) {
        // This makes the chain, or empties it.
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

/// For each table: the rule that leads to our chain, and the rules in that chain.
fn iptables_rules(bridge: &str, subnet: Subnet) -> [(&'static str, &'static str, String); 2] {
    let nat = format!("-A TINY-DOCKER -s {subnet} ! -o {bridge} -j MASQUERADE\n");
    let filter = format!(
        "-A TINY-DOCKER -i {bridge} -j ACCEPT\n\
        -A TINY-DOCKER -o {bridge} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n\
        -A TINY-DOCKER -o {bridge} -j DROP\n"
    );
    [
        ("nat", "POSTROUTING -j TINY-DOCKER", nat),
        ("filter", "FORWARD -j TINY-DOCKER", filter),
    ]
}
// ANCHOR_END: iptables
