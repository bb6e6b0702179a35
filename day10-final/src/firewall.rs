//! The way out, and no way in but to published ports: nft(8), iptables(8).

use std::fs;

use anyhow::{Context, Result};

use crate::failure::warn;
use crate::host::{has, type_into};
use crate::publish::Published;
use crate::subnet::Subnet;

/// What nft shows at those of our rules that are in tables of others.
const COMMENT: &str = "comment \"tiny-docker\"";

/// Our own table, with the blank that ends its name.
const OURS: &str = "ip tiny-docker ";

// ANCHOR: open
/// Lets the containers in `subnet`, behind `bridge`, talk to the outside. From there, only answers come in, and what is
/// for published ports: those that there are already are returned.
///
/// What is there already, by the `rules` that nft has listed, stays as it is.
pub fn open(bridge: &str, subnet: Subnet, rules: Result<String>) -> Result<Published> {
    let tool = tool()?;
    let rules = match tool {
        "nft" => {
            let rules = rules?;
            open_with_nft(bridge, subnet, &rules)?;
            rules
        }
        iptables => open_with_iptables(iptables, bridge, subnet)?,
    };
    Ok(Published::among(&rules, tool))
}

/// The one to use on this host.
pub fn tool() -> Result<&'static str> {
    let tool = tools().into_iter().find(|tool| has(tool));
    tool.context("neither nft nor iptables is in PATH\nhint: install nftables")
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
    // That of an earlier day's program has no chain of this name.
    if !there
        .iter()
        .any(|(chain, _)| chain == "ip tiny-docker prerouting")
    {
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

/// [`crate::publish`] fills the chain "published". The rest is about what comes from there.
///
/// Before the kernel chooses a route, a packet still has the port of the host's. The host's own programs, and they
/// alone, may also call 127.0.0.1: that is forbidden to containers by "guard", since the bridge has no other lock
/// once it carries such packets (CVE-2020-8558). The answers come back by way of the host only if the container sees
/// the host's address, and neither 127.0.0.1 nor that of a neighbour.
fn our_table(bridge: &str, subnet: Subnet) -> String {
    format!(
        r#"
        add table ip tiny-docker
        delete table ip tiny-docker
        table ip tiny-docker {{
            chain published {{
            }}
            chain guard {{
                type filter hook prerouting priority raw;
                iifname "{bridge}" ip daddr 127.0.0.0/8 drop
                iifname "{bridge}" ip saddr 127.0.0.0/8 drop
            }}
            chain prerouting {{
                type nat hook prerouting priority dstnat;
                ip daddr != 127.0.0.0/8 fib daddr type local jump published
            }}
            chain output {{
                type nat hook output priority -100;
                fib daddr type local jump published
            }}
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {subnet} oifname != "{bridge}" masquerade
                ip saddr {{ 127.0.0.0/8, {subnet} }} oifname "{bridge}" ct status dnat masquerade
            }}
            chain forward {{
                type filter hook forward priority filter;
                ct status dnat accept
                iifname != "{bridge}" oifname "{bridge}" ct state != {{ established, related }} drop
            }}
        }}
        "#
    )
}

/// The lines of a list by nft, each with its chain, as "ip filter FORWARD". Only those for IPv4.
pub fn in_chains(list: &str) -> Vec<(String, &str)> {
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
/// The same with chains of our own, to which the host's lead. Returns all rules for addresses.
fn open_with_iptables(iptables: &str, bridge: &str, subnet: Subnet) -> Result<String> {
    let rules = run(&format!("{iptables} -w -t nat -S"))?;
    if !rules.contains("-j TINY-DOCKER-PORTS") {
        let restore = format!("{iptables}-restore -w --noflush");
        type_into(&restore, &iptables_rules(bridge, subnet))?;
    }
    Ok(rules)
}

/// What shows that they are there comes last: whoever makes them may be killed between two tables.
fn iptables_rules(bridge: &str, subnet: Subnet) -> String {
    format!(
        "*raw\n\
        :TINY-DOCKER - [0:0]\n\
        -A TINY-DOCKER -i {bridge} -d 127.0.0.0/8 -j DROP\n\
        -A TINY-DOCKER -i {bridge} -s 127.0.0.0/8 -j DROP\n\
        -I PREROUTING -j TINY-DOCKER\n\
        COMMIT\n\
        *filter\n\
        :TINY-DOCKER - [0:0]\n\
        -A TINY-DOCKER -i {bridge} -j ACCEPT\n\
        -A TINY-DOCKER -o {bridge} -m conntrack --ctstate ESTABLISHED,RELATED,DNAT -j ACCEPT\n\
        -A TINY-DOCKER -o {bridge} -j DROP\n\
        -I FORWARD -j TINY-DOCKER\n\
        COMMIT\n\
        *nat\n\
        :TINY-DOCKER - [0:0]\n\
        :TINY-DOCKER-PORTS - [0:0]\n\
        -A TINY-DOCKER -s {subnet} ! -o {bridge} -j MASQUERADE\n\
        -A TINY-DOCKER -s 127.0.0.0/8,{subnet} -o {bridge} -m conntrack --ctstate DNAT -j MASQUERADE\n\
        -I POSTROUTING -j TINY-DOCKER\n\
        -I PREROUTING ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j TINY-DOCKER-PORTS\n\
        -I OUTPUT -m addrtype --dst-type LOCAL -j TINY-DOCKER-PORTS\n\
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
    let restore = format!("{iptables}-restore -w --noflush");
    for table in ["raw", "nat", "filter"] {
        let rules = run(&format!("{iptables} -w -t {table} -S")).unwrap_or_default();
        let _ = type_into(
            &restore,
            &format!("*{table}\n{}COMMIT\n", without_ours(&rules)),
        );
    }
}

/// What to do so that our chains are no longer among `rules`: first nothing may lead there.
fn without_ours(rules: &str) -> String {
    let rule = |line: &str| Some(line.strip_prefix("-A ")?.to_owned());
    let rules_to = rules
        .lines()
        .filter(|line| line.contains("-j TINY-DOCKER"))
        .filter_map(rule);
    let chains = rules
        .lines()
        .filter_map(|line| line.strip_prefix("-N TINY-DOCKER"));
    let mut lines: String = rules_to.map(|rule| format!("-D {rule}\n")).collect();
    for chain in chains {
        lines += &format!("-F TINY-DOCKER{chain}\n-X TINY-DOCKER{chain}\n");
    }
    lines
}
// ANCHOR_END: close

fn run(command: &str) -> Result<String> {
    type_into(command, "")
}
