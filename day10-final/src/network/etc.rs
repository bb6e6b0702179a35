//! The three files in /etc that are about the network: hosts(5), hostname(5), resolv.conf(5).
//!
//! The [parent](crate::parent) writes them, and [`rootfs::etc`](crate::rootfs::etc) mounts them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result, anyhow};

use crate::container::Container;
use crate::failure::warn;
use crate::network::Net;
use crate::network::lookup::Host;

pub const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where systemd-resolved lists the servers that it asks. /etc/resolv.conf names only systemd-resolved itself then.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

pub const LOCALHOST: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";

/// Writes the files of `container`.
pub fn write(container: &Container) -> Result<()> {
    let Some(directory) = &container.etc else {
        return Ok(());
    };
    let (hostname, lookup) = (&container.hostname, &container.lookup);
    let mut hosts = match (container.net, container.address) {
        (Net::Host, _) => of_the_host("/etc/hosts"),
        (_, Some(address)) => format!("{LOCALHOST}{address}\t{hostname}\n"),
        (_, None) => LOCALHOST.to_owned(),
    };
    if !hosts.ends_with('\n') {
        hosts += "\n";
    }
    for Host { name, address } in &lookup.add_host {
        let host = match container.net {
            Net::Bridge => Some(container.subnet.address(1).into()),
            Net::Host => Some(Ipv4Addr::LOCALHOST.into()),
            Net::Isolated => None,
        };
        let address = address
            .or(host)
            .context("the container has no route to the host\nhint: use --net bridge")?;
        hosts += &format!("{address}\t{name}\n");
    }
    let resolv_conf = match container.net {
        _ if !lookup.dns.is_empty() => with_servers(&lookup.dns),
        Net::Bridge => reachable_servers(),
        Net::Isolated => String::new(),
        Net::Host => of_the_host(RESOLV_CONF),
    };
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let texts = [hosts, format!("{hostname}\n"), resolv_conf];
    for (name, text) in FILES.iter().zip(texts) {
        let file = directory.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn of_the_host(file: &str) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

/// The host's resolv.conf without the servers that a container cannot reach.
fn reachable_servers() -> String {
    for file in [RESOLV_CONF, BEHIND_RESOLVED] {
        let text = of_the_host(file);
        let reachable = |line: &&str| server(line).is_none_or(is_reachable);
        let lines: Vec<_> = text.lines().filter(reachable).collect();
        if lines.iter().any(|line| server(line).is_some()) {
            return lines.join("\n") + "\n";
        }
    }
    warn(&anyhow!(
        "none of this host's DNS servers can be reached from a container"
    ));
    String::new()
}

/// The host's resolv.conf with these servers instead of its own, as in Docker.
fn with_servers(servers: &[IpAddr]) -> String {
    let hosts = of_the_host(RESOLV_CONF);
    let others = hosts.lines().filter(|line| server(line).is_none());
    let servers = servers.iter().map(|server| format!("nameserver {server}"));
    let lines = others.map(str::to_owned).chain(servers);
    lines.map(|line| line + "\n").collect()
}

/// The address in a line such as "nameserver 192.0.2.1 # the router".
fn server(line: &str) -> Option<&str> {
    let value = line.strip_prefix("nameserver")?;
    let value = value.strip_prefix([' ', '\t'])?.trim_start();
    value.split([' ', '\t', '#', ';']).next()
}

/// A container has a loopback device of its own, and no IPv6 address.
fn is_reachable(server: &str) -> bool {
    let address = server.parse();
    address.is_ok_and(|address: Ipv4Addr| !address.is_loopback() && !address.is_unspecified())
}
