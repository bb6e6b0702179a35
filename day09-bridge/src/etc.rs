//! The three files in /etc that are about the network: hosts(5), hostname(5), resolv.conf(5).

use std::fs::{self, OpenOptions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;

use crate::failure::warn;
use crate::rootfs::bind;

const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where systemd-resolved writes what it asks itself. The /etc/resolv.conf of such a host leads to it alone.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

// ANCHOR: write
/// Writes the container's files into `directory`. Without an `address` of its own, it has the host's network.
pub fn write(directory: &Path, hostname: &str, address: Option<Ipv4Addr>) -> Result<()> {
    let hosts = match address {
        Some(address) => format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{address}\t{hostname}\n"),
        None => fs::read_to_string("/etc/hosts").unwrap_or_default(),
    };
    let resolv_conf = match address {
        Some(_) => reachable_servers(),
        None => fs::read_to_string(RESOLV_CONF).unwrap_or_default(),
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
/// Lets the three files in the working directory be seen in /etc.
///
/// To be called while the root has changed, the working directory has not, and there is no /proc: a link in a
/// hostile rootfs leads nowhere but into that rootfs.
pub fn mount_over() -> Result<()> {
    for name in FILES {
        let place = Path::new("/etc").join(name);
        // Only where something is can something be mounted. A rootfs that takes no file goes without.
        let target =
            fs::read_link(&place).map_or(place.clone(), |link| Path::new("/etc").join(link));
        let _ = fs::create_dir_all(target.parent().unwrap_or(&target));
        // Should it be a FIFO, then not one that we wait for: open(2).
        let mut options = OpenOptions::new();
        options.custom_flags(libc::O_NONBLOCK);
        let _ = options.create(true).append(true).open(&target);
        match bind(name, &format!("/etc/{name}")) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => (),
            mounted => mounted.with_context(|| format!("cannot mount {}", place.display()))?,
        }
    }
    Ok(())
}
// ANCHOR_END: mount_over
