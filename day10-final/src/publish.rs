//! From a port of the host's to one of a container's: nft(8), iptables(8), and the kernel's ip-sysctl.rst.

use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};

use crate::firewall::in_chains;
use crate::host::{has, type_into};
use crate::ports::{Port, Ports};

/// Each of the rules says so whose it is: the kernel's number of the cable follows.
const MARK: &str = "tiny-docker-";

/// Whether the bridge may carry packets from and to 127.0.0.1. We switch it on for published ports only.
const LOCAL: &str = "/proc/sys/net/ipv4/conf/td0/route_localnet";

/// All ports that are published on this host: one rule for each, as the tool that has made it shows it.
pub struct Published {
    pub tool: &'static str,
    rules: Vec<String>,
}

impl Published {
    /// Those that are in a list by `tool`, which is nft or an iptables.
    pub fn among(list: &str, tool: &'static str) -> Self {
        let mut rules: Vec<_> = match tool {
            "nft" => {
                let mut lines = in_chains(list);
                lines.retain(|(chain, _)| chain == "ip tiny-docker published");
                lines.into_iter().map(|(_, line)| line.to_owned()).collect()
            }
            _ => list.lines().map(str::to_owned).collect(),
        };
        rules.retain(|rule| cable(rule).is_some());
        Self { tool, rules }
    }

    // ANCHOR: publish
    /// Lets `ports` lead to the container with this `address` and the cable `index`.
    ///
    /// What a killed `run` has left goes: it might lead to another container, which has got the address after it.
    pub fn publish(
        &self,
        ports: &Ports,
        address: Ipv4Addr,
        index: u32,
        cables: &[(u32, String)],
    ) -> Result<()> {
        let exists = |index| cables.iter().any(|(number, _)| *number == index);
        let ports = ports.publish.iter();
        let new = ports.map(|port| self.rule(port, address, index)).collect();
        self.change(|index| !exists(index), new)
    }

    /// In front of others: whose `run` was killed has its ports no longer, and may be on its way out.
    fn rule(&self, port: &Port, address: Ipv4Addr, index: u32) -> String {
        let Port {
            ip,
            host,
            container,
            protocol,
        } = port;
        let here = |option| match ip.is_unspecified() {
            true => String::new(),
            false => format!("{option} {ip} "),
        };
        match self.tool {
            "nft" => format!(
                "insert rule ip tiny-docker published {}{protocol} dport {host} dnat to {address}:{container} \
                comment \"{MARK}{index}\"\n",
                here("ip daddr")
            ),
            _ => format!(
                "-I TINY-DOCKER-PORTS {}-p {protocol} --dport {host} -m comment --comment {MARK}{index} \
                -j DNAT --to-destination {address}:{container}\n",
                here("-d")
            ),
        }
    }
    // ANCHOR_END: publish

    // ANCHOR: change
    /// Removes the rules of those cables that are `gone`, and adds the `new` ones: all of it or, where that fails, nothing.
    fn change(&self, gone: impl Fn(u32) -> bool, new: Vec<String>) -> Result<()> {
        let is_gone = |rule: &&String| cable(rule).is_some_and(&gone);
        let (old, kept): (Vec<_>, Vec<_>) = self.rules.iter().partition(is_gone);
        if old.is_empty() && new.is_empty() {
            return Ok(());
        }
        let deletions = old.iter().filter_map(|rule| self.deletion(rule));
        let lines: String = deletions.chain(new.iter().cloned()).collect();
        match self.tool {
            "nft" => type_into("nft -f -", &lines)?,
            iptables => {
                let restore = format!("{iptables}-restore -w --noflush");
                type_into(&restore, &format!("*nat\n{lines}COMMIT\n"))?
            }
        };
        for rule in old.into_iter().chain(&new) {
            forget_calls(rule);
        }
        let any = !(kept.is_empty() && new.is_empty());
        fs::write(LOCAL, if any { "1" } else { "0" }).context("cannot set route_localnet")
    }
    // ANCHOR_END: change

    fn deletion(&self, rule: &str) -> Option<String> {
        match self.tool {
            "nft" => {
                let (_, handle) = rule.rsplit_once("handle ")?;
                Some(format!(
                    "delete rule ip tiny-docker published handle {handle}\n"
                ))
            }
            _ => Some(format!("-D {}\n", rule.strip_prefix("-A ")?)),
        }
    }
}

/// Who has sent UDP to a port goes on being led where they were before, until they pause for half a minute:
/// conntrack(8), if the host has it.
fn forget_calls(rule: &str) {
    let port = rule
        .split_once("dport ")
        .and_then(|(_, rest)| rest.split(' ').next());
    if let Some(port) = port.filter(|_| rule.contains("udp ") && has("conntrack")) {
        // It is an error if there were none.
        let _ = type_into(&format!("conntrack -D -p udp --orig-port-dst {port}"), "");
    }
}

/// The number of the cable that a rule is for.
fn cable(rule: &str) -> Option<u32> {
    let (_, number) = rule.split_once(MARK)?;
    let number = number.split(|c: char| !c.is_ascii_digit()).next()?;
    number.parse().ok()
}

/// Removes the rules for those cables that are `gone`.
pub fn withdraw(tool: &'static str, gone: impl Fn(u32) -> bool) -> Result<()> {
    let list = match tool {
        "nft" => "nft --handle list chain ip tiny-docker published",
        iptables => &format!("{iptables} -w -t nat -S"),
    };
    let list = type_into(list, "")?;
    Published::among(&list, tool).change(gone, Vec::new())
}

/// Whether there is any port published.
pub fn is_in_use() -> bool {
    fs::read_to_string(LOCAL).is_ok_and(|text| text.trim() == "1")
}
