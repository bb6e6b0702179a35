//! The way out, and no way in: nft(8), iptables(8).

use std::fs;

use anyhow::{Result, bail};

use crate::failure::warn;
use crate::host::{has, type_into};
use crate::subnet::Subnet;

/// What nft shows at those of our rules that are in tables of others.
const COMMENT: &str = "comment \"tiny-docker\"";

/// Our own table, with the blank that ends its name.
const OURS: &str = "ip tiny-docker ";

// ANCHOR: open
/// Lets the containers in `subnet`, behind `bridge`, talk to the outside. From there, only answers come in.
///
/// What is there already, by the `rules` that nft has listed, stays as it is.
pub fn open(bridge: &str, subnet: Subnet, rules: Result<String>) -> Result<()> {
    match tools().into_iter().find(|tool| has(tool)) {
        Some("nft") => open_with_nft(bridge, subnet, &rules?),
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
fn open_with_nft(bridge: &str, subnet: Subnet, rules: &str) -> Result<()> {
    let there = in_chains(rules);
    if !there.iter().any(|(chain, _)| chain.starts_with(OURS)) {
        type_into("nft -f -", &our_table(bridge, subnet))?;
    }
    let forwards = |line: &str| line.starts_with("type filter hook forward");
    for (chain, _) in there.iter().filter(|(_, line)| forwards(line)) {
        let mut rules = there.iter().filter(|(of, _)| of == chain);
        if chain.starts_with(OURS) || rules.any(|(_, rule)| rule.contains(COMMENT)) {
            continue;
        }
        let insert =
            |direction| format!("insert rule {chain} {direction} {bridge} accept {COMMENT}\n");
        let both = insert("iifname") + &insert("oifname");
        if let Err(error) = type_into("nft -f -", &both) {
            warn(&error.context(format!("{chain} may keep containers from the outside")));
        }
    }
    Ok(())
}

fn our_table(bridge: &str, subnet: Subnet) -> String {
    format!(
        r#"
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

/// The lines of a list by nft, each with its chain, as "ip filter FORWARD". Only those for IPv4.
fn in_chains(list: &str) -> Vec<(String, &str)> {
    let (mut table, mut chain, mut lines) = ("", "", Vec::new());
    for line in list.lines().map(str::trim) {
        let name = line.split(" {").next().unwrap_or(line);
        if let Some(name) = name.strip_prefix("table ") {
            table = name;
        } else if let Some(name) = name.strip_prefix("chain ") {
            chain = name;
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
    if run(&format!(
        "{iptables} -w -t nat -C POSTROUTING -j TINY-DOCKER"
    ))
    .is_err()
    {
        let restore = format!("{iptables}-restore -w --noflush");
        type_into(&restore, &iptables_rules(bridge, subnet))?;
    }
    Ok(())
}

fn iptables_rules(bridge: &str, subnet: Subnet) -> String {
    format!(
        "*nat\n\
        :TINY-DOCKER - [0:0]\n\
        -A TINY-DOCKER -s {subnet} ! -o {bridge} -j MASQUERADE\n\
        -I POSTROUTING -j TINY-DOCKER\n\
        COMMIT\n\
        *filter\n\
        :TINY-DOCKER - [0:0]\n\
        -A TINY-DOCKER -i {bridge} -j ACCEPT\n\
        -A TINY-DOCKER -o {bridge} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n\
        -A TINY-DOCKER -o {bridge} -j DROP\n\
        -I FORWARD -j TINY-DOCKER\n\
        COMMIT\n"
    )
}
// ANCHOR_END: iptables

// ANCHOR: close
/// Removes all that [`open`] has added, with either tool. What is gone already is no error.
pub fn close() {
    let _ = run("nft delete table ip tiny-docker");
    let list = run("nft --handle list ruleset").unwrap_or_default();
    let ours = in_chains(&list)
        .into_iter()
        .filter(|(_, line)| line.contains(COMMENT));
    let deletions = ours.filter_map(|(chain, line)| {
        let (_, handle) = line.rsplit_once("handle ")?;
        Some(format!("delete rule {chain} handle {handle}\n"))
    });
    let _ = type_into("nft -f -", &deletions.collect::<String>());

    let iptables = tools().into_iter().find(|tool| *tool != "nft" && has(tool));
    let Some(iptables) = iptables else { return };
    for chain in ["nat -D POSTROUTING", "filter -D FORWARD"] {
        while run(&format!("{iptables} -w -t {chain} -j TINY-DOCKER")).is_ok() {}
    }
    for table in ["nat", "filter"] {
        let _ = run(&format!("{iptables} -w -t {table} -F TINY-DOCKER"));
        let _ = run(&format!("{iptables} -w -t {table} -X TINY-DOCKER"));
    }
}
// ANCHOR_END: close

fn run(command: &str) -> Result<String> {
    type_into(command, "")
}
