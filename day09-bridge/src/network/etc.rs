//! The three files in /etc that are about the network: hosts(5), hostname(5), resolv.conf(5).
//!
//! The [parent](crate::parent) writes them, and [`rootfs::etc`](crate::rootfs::etc) mounts them.

use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow};

use crate::container::Container;
use crate::failure::warn;
use crate::network::Net;

pub const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where systemd-resolved lists the servers that it asks. /etc/resolv.conf names only systemd-resolved itself then.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

const LOCALHOST: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";

/// Writes the files of `container`.
pub fn write(container: &Container) -> Result<()> {
    let (directory, hostname) = (&container.etc, &container.hostname);
    let own = |ip: Ipv4Addr| format!("{ip}\t{hostname}\n");
    let own = container.address.map_or(String::new(), own);
    let (hosts, resolv_conf) = match container.net {
        Net::Bridge => (LOCALHOST.to_owned() + &own, reachable_servers()),
        Net::Isolated => (LOCALHOST.to_owned(), String::new()),
        Net::Host => (of_the_host("/etc/hosts"), of_the_host(RESOLV_CONF)),
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
        let lines: Vec<_> = text.lines().filter(is_usable).collect();
        if lines.iter().any(|line| line.starts_with("nameserver")) {
            return lines.join("\n") + "\n";
        }
    }
    warn(&anyhow!(
        "none of this host's DNS servers can be reached from a container"
    ));
    String::new()
}

/// Not a server at a loopback address, since the container has a loopback device of its own, nor at an IPv6 address.
fn is_usable(line: &&str) -> bool {
    let mut words = line.split_whitespace();
    let is_server = words.next() == Some("nameserver");
    let address = words.next().and_then(|server| server.parse().ok());
    !is_server || address.is_some_and(|ip: Ipv4Addr| !ip.is_loopback() && !ip.is_unspecified())
}
