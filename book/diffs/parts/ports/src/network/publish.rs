//! From a port on the host to one in a container: nft(8), iptables(8).
//!
//! The [`bridge`](super::bridge) calls it. It reads the records of other containers, which name their ports: if
//! somebody has flushed the rules, there is no other way to find out what they were.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;

use crate::container::Status;
use crate::host::{has, run_with_stdin};
use crate::network::addresses::address;
use crate::network::ports::{Port, Ports};
use crate::network::rules::is_there;
use crate::network::subnet::Subnet;
use crate::state::store;

/// Each of our rules has a comment that begins like this. The kernel's number of the veth follows.
const MARK: &str = "tiny-docker-";

/// The jumps to our rules, for iptables.
const JUMPS: [&str; 2] = [
    "PREROUTING ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j TINY-DOCKER-PORTS",
    "OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j TINY-DOCKER-PORTS",
];

/// All ports that are published on this host: one rule for each, as the tool that has made it shows it.
pub struct Published {
    pub tool: &'static str,
    rules: Vec<String>,
    /// The rules that the tool has listed, before we change anything.
    list: String,
}

impl Published {
    /// Those that are in a list by `tool`, which is nft or an iptables.
    pub fn among(list: String, tool: &'static str) -> Self {
        let rules = marked(&list);
        Self { tool, rules, list }
    }

    // ANCHOR: publish
    /// Lets `ports` lead to the container with this `address` and the veth `index`.
    ///
    /// They go in front of the others: a container whose `run` was killed has lost its ports, and may be about to end.
    pub fn add(&mut self, ports: &Ports, address: Ipv4Addr, index: u32) {
        let new = ports.publish.iter();
        let new: Vec<_> = new.map(|port| self.rule(port, address, index)).collect();
        self.rules.splice(0..0, new);
    }

    /// Keeps only the rules of these `veths`. Any others might one day lead to the wrong container.
    ///
    /// If somebody has flushed the rules, those of the containers in `state` are made again.
    pub fn keep(&mut self, veths: &[(u32, String)], subnet: Subnet, state: &Path) {
        let exists = |index| veths.iter().any(|(number, _)| *number == index);
        self.rules.retain(|rule| veth(rule).is_some_and(exists));
        if self.is_led_to() {
            return;
        }
        let containers = store::all(state).into_iter().flatten().flatten();
        for container in containers.filter(|container| container.status == Status::Running) {
            let is_its = |(_, name): &&(u32, String)| address(name, subnet) == container.address;
            let (Some(own), Some((index, _))) = (container.address, veths.iter().find(is_its))
            else {
                continue;
            };
            self.rules.retain(|rule| veth(rule) != Some(*index));
            self.add(&container.ports, own, *index);
        }
    }

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
                "{}{protocol} dport {host} dnat to {address}:{container} comment \"{MARK}{index}\"",
                here("ip daddr")
            ),
            _ => format!(
                "-A TINY-DOCKER-PORTS {}-p {protocol} --dport {host} -m comment --comment {MARK}{index} \
                -j DNAT --to-destination {address}:{container}",
                here("-d")
            ),
        }
    }
    // ANCHOR_END: publish

    // ANCHOR: write
    /// Replaces the rules on the host: all of them or, if that fails, none.
    pub fn write(&self) -> Result<()> {
        let before = marked(&self.list);
        if self.rules == before && self.is_led_to() {
            return Ok(());
        }
        match self.tool {
            "nft" => run_with_stdin("nft -f -", &table(&self.rules))?,
            iptables => {
                let restore = format!("{iptables}-restore -w --noflush");
                let mut lines = "*nat\n:TINY-DOCKER-PORTS - [0:0]\n".to_owned();
                for jump in JUMPS.iter().filter(|jump| !self.list.contains(*jump)) {
                    lines += &format!("-I {jump}\n");
                }
                run_with_stdin(
                    &restore,
                    &format!("{lines}{}\nCOMMIT\n", self.rules.join("\n")),
                )?
            }
        };
        let changed = |rule: &&String| before.contains(rule) != self.rules.contains(rule);
        let all = before.iter().chain(&self.rules);
        all.filter(changed).for_each(|rule| forget_calls(rule));
        Ok(())
    }

    /// Whether packets get to the rules.
    fn is_led_to(&self) -> bool {
        match self.tool {
            "nft" => is_there(&self.list, &table(&[])),
            _ => JUMPS.iter().all(|jump| self.list.contains(jump)),
        }
    }
    // ANCHOR_END: write
}

// ANCHOR: table
/// Before the kernel chooses a route, a packet still has the host's port.
fn table(rules: &[String]) -> String {
    let rules = rules.join("\n");
    format!(
        r#"
        add table ip tiny-docker-ports
        delete table ip tiny-docker-ports
        table ip tiny-docker-ports {{
            chain published {{
                {rules}
            }}
            chain prerouting {{
                type nat hook prerouting priority dstnat;
                ip daddr != 127.0.0.0/8 fib daddr type local jump published
            }}
            chain output {{
                type nat hook output priority -100;
                ip daddr != 127.0.0.0/8 fib daddr type local jump published
            }}
        }}
        "#
    )
}
// ANCHOR_END: table

/// Otherwise the UDP packets of earlier callers would go to the old destination, until they pause for half a minute:
/// conntrack(8), if the host has it.
fn forget_calls(rule: &str) {
    let port = rule
        .split_once("dport ")
        .and_then(|(_, rest)| rest.split(' ').next());
    if let Some(port) = port.filter(|_| rule.contains("udp ") && has("conntrack")) {
        // It is an error if there were none.
        let _ = run_with_stdin(&format!("conntrack -D -p udp --orig-port-dst {port}"), "");
    }
}

/// Our rules, from the list of either tool.
fn marked(list: &str) -> Vec<String> {
    let lines = list.lines().map(str::trim);
    let lines = lines.filter(|line| veth(line).is_some());
    lines.map(str::to_owned).collect()
}

/// The number of the veth that a rule is for.
fn veth(rule: &str) -> Option<u32> {
    let (_, number) = rule.split_once(MARK)?;
    let number = number.split(|c: char| !c.is_ascii_digit()).next()?;
    number.parse().ok()
}

/// Removes the rules for the veth `index`.
pub fn withdraw(tool: &'static str, index: u32) -> Result<()> {
    let list = match tool {
        "nft" => "nft list table ip tiny-docker-ports",
        iptables => &format!("{iptables} -w -t nat -S"),
    };
    let mut published = Published::among(run_with_stdin(list, "")?, tool);
    published.rules.retain(|rule| veth(rule) != Some(index));
    published.write()
}
