//! The way out, and no way in except to published ports: nft(8), iptables(8).

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
/// Lets containers talk to the outside. From there, only answers come in, and packets for published ports. Returns the
/// tool that it used, and the rules that this tool listed before.
///
/// With nft, `rules` is its complete list. Rules that are there stay: a firewall transaction takes as long as an entire
/// container.
pub fn enable_nat(subnet: Subnet, rules: Result<String>) -> Result<(&'static str, String)> {
    let tool = tool()?;
    let rules = match tool {
        "nft" => {
            let rules = rules?;
            use_nft(subnet, &rules)?;
            rules
        }
        iptables => use_iptables(iptables, subnet)?,
    };
    Ok((tool, rules))
}

/// The one to use on this host.
pub fn tool() -> Result<&'static str> {
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
///
/// Packets to published ports have the status `dnat`. If one comes from a container, the answer comes back through the
/// host only if the other container sees the host's address, and not its neighbour's.
fn our_table(subnet: Subnet) -> String {
    format!(
        r#"
        add table ip tiny-docker
        delete table ip tiny-docker
        table ip tiny-docker {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {subnet} oifname != "{BRIDGE}" masquerade
                ip saddr {subnet} oifname "{BRIDGE}" ct status dnat masquerade
            }}
            chain forward {{
                type filter hook forward priority filter;
                ct status dnat accept
                iifname != "{BRIDGE}" oifname "{BRIDGE}" ct state != {{ established, related }} drop
            }}
        }}
        "#
    )
}
// ANCHOR_END: nft

// ANCHOR: iptables
/// Does the same with chains of our own, to which the host's chains jump. Returns all rules in the table `nat`.
fn use_iptables(iptables: &str, subnet: Subnet) -> Result<String> {
    let (mut lines, mut rules_for_addresses) = (String::new(), String::new());
    for (table, jump, rules) in iptables_rules(subnet) {
        // This creates the chain, or empties it.
        lines += &format!("*{table}\n:TINY-DOCKER - [0:0]\n{rules}");
        let there = run_with_stdin(&format!("{iptables} -w -t {table} -S"), "")?;
        if !there.contains(jump) {
            lines += &format!("-I {jump}\n");
        }
        lines += "COMMIT\n";
        if table == "nat" {
            rules_for_addresses = there;
        }
    }
    run_with_stdin(&format!("{iptables}-restore -w --noflush"), &lines)?;
    Ok(rules_for_addresses)
}

/// For each table: the rule that jumps to our chain, and the rules in that chain.
fn iptables_rules(subnet: Subnet) -> [(&'static str, &'static str, String); 2] {
    let nat = format!(
        "-A TINY-DOCKER -s {subnet} ! -o {BRIDGE} -j MASQUERADE\n\
        -A TINY-DOCKER -s {subnet} -o {BRIDGE} -m conntrack --ctstate DNAT -j MASQUERADE\n"
    );
    let filter = format!(
        "-A TINY-DOCKER -i {BRIDGE} -j ACCEPT\n\
        -A TINY-DOCKER -o {BRIDGE} -m conntrack --ctstate ESTABLISHED,RELATED,DNAT -j ACCEPT\n\
        -A TINY-DOCKER -o {BRIDGE} -j DROP\n"
    );
    [
        ("nat", "POSTROUTING -j TINY-DOCKER", nat),
        ("filter", "FORWARD -j TINY-DOCKER", filter),
    ]
}
// ANCHOR_END: iptables

// ANCHOR: disable_nat
/// Removes everything that [`enable_nat`] added, with either tool. It is not an error if something is gone already.
pub fn disable_nat() {
    for table in [
        "ip tiny-docker",
        "ip tiny-docker-ports",
        "bridge tiny-docker",
    ] {
        let _ = run(&format!("nft delete table {table}"));
    }
    let list = run("nft --handle list ruleset").unwrap_or_default();
    let ours = in_chains(&list)
        .into_iter()
        .filter(|(_, line)| line.contains(COMMENT));
    let deletions = ours.filter_map(|(chain, line)| {
        let (_, handle) = line.rsplit_once("handle ")?;
        Some(format!("delete rule {chain} handle {handle}\n"))
    });
    let _ = run_with_stdin("nft -f -", &deletions.collect::<String>());

    let iptables = tools().into_iter().find(|tool| *tool != "nft" && has(tool));
    let Some(iptables) = iptables else { return };
    let restore = format!("{iptables}-restore -w --noflush");
    for table in ["nat", "filter"] {
        let rules = run(&format!("{iptables} -w -t {table} -S")).unwrap_or_default();
        let _ = run_with_stdin(
            &restore,
            &format!("*{table}\n{}COMMIT\n", without_ours(&rules)),
        );
    }
}

/// The commands that remove our chains from `rules`. The rules that jump to them have to go first.
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
// ANCHOR_END: disable_nat

fn run(command: &str) -> Result<String> {
    run_with_stdin(command, "")
}
