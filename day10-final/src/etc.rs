//! The three files in /etc that are about the network: hosts(5), hostname(5), resolv.conf(5).

use std::fs::{self, OpenOptions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;

use crate::container::Container;
use crate::failure::warn;
use crate::lookup::Host;
use crate::mounts::bind;
use crate::network::Net;

const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where systemd-resolved writes what it asks itself. The /etc/resolv.conf of such a host leads to it alone.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

// ANCHOR: write
/// Writes the files of `container` into `directory`. The host is its `gateway`, if it has one.
pub fn write(directory: &Path, container: &Container, gateway: Ipv4Addr) -> Result<()> {
    let (hostname, lookup) = (&container.hostname, &container.lookup);
    let own = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
    let mut hosts = match (container.net, container.address) {
        (Net::Host, _) => fs::read_to_string("/etc/hosts").unwrap_or_default(),
        (_, Some(address)) => format!("{own}{address}\t{hostname}\n"),
        (_, None) => own.to_owned(),
    };
    for Host { name, address } in &lookup.add_host {
        let host = match container.net {
            Net::Bridge => Some(gateway.into()),
            Net::Host => Some(Ipv4Addr::LOCALHOST.into()),
            Net::Isolated => None,
        };
        let address = address
            .or(host)
            .context("there is no way to the host\nhint: --net bridge")?;
        hosts += &format!("{address}\t{name}\n");
    }
    let resolv_conf = match container.net {
        _ if !lookup.dns.is_empty() => {
            let line = |server| format!("nameserver {server}\n");
            lookup.dns.iter().map(line).collect()
        }
        Net::Bridge => reachable_servers(),
        Net::Isolated => String::new(),
        Net::Host => fs::read_to_string(RESOLV_CONF).unwrap_or_default(),
    };
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, text) in FILES
        .iter()
        .zip([hosts, format!("{hostname}\n"), resolv_conf])
    {
        let file = directory.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The host's resolv.conf, but for servers on the host's loopback device: the container has one of its own.
fn reachable_servers() -> String {
    for file in [RESOLV_CONF, BEHIND_RESOLVED] {
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !is_loopback(line)).collect();
        if lines.iter().any(|line| line.starts_with("nameserver")) {
            return lines.join("\n") + "\n";
        }
    }
    warn(&anyhow!(
        "no DNS server of this host can be reached from a container"
    ));
    String::new()
}

fn is_loopback(line: &str) -> bool {
    let server = line.strip_prefix("nameserver").map(str::trim);
    server
        .and_then(|server| server.parse().ok())
        .is_some_and(|server: IpAddr| server.is_loopback())
}
// ANCHOR_END: write

// ANCHOR: mount_over
/// Lets the three files in `etc` be seen in /etc.
///
/// To be called while absolute paths lead into the container, and relative ones begin at the host's /, see
/// [`crate::rootfs::enter`]: a link in a hostile rootfs leads nowhere but into that rootfs.
pub fn mount_over(etc: &Path) -> Result<()> {
    for name in FILES {
        let file = etc.strip_prefix("/")?.join(name);
        let place = Path::new("/etc").join(name);
        // Only where something is can something be mounted. A rootfs that takes no file goes without.
        let target =
            fs::read_link(&place).map_or(place.clone(), |link| Path::new("/etc").join(link));
        let _ = fs::create_dir_all(target.parent().unwrap_or(&target));
        // Should it be a FIFO, then not one that we wait for: open(2).
        let mut options = OpenOptions::new();
        options.custom_flags(libc::O_NONBLOCK);
        let _ = options.create(true).append(true).open(&target);
        match bind(&file, &place) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => (),
            mounted => mounted.with_context(|| format!("cannot mount {}", place.display()))?,
        }
    }
    Ok(())
}
// ANCHOR_END: mount_over
