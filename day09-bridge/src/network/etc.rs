//! The three files in /etc that are about the network: hosts(5), hostname(5), resolv.conf(5).

use std::fs::{self, OpenOptions};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;

use crate::container::Container;
use crate::failure::warn;
use crate::network::Net;
use crate::rootfs::bind;

const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where systemd-resolved writes what it asks itself. The /etc/resolv.conf of such a host leads to it alone.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

// ANCHOR: write
/// Writes the files of `container` into `directory`.
pub fn write(directory: &Path, container: &Container) -> Result<()> {
    let hostname = &container.hostname;
    let own = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
    let hosts = match (container.net, container.address) {
        (Net::Host, _) => of_the_host("/etc/hosts"),
        (_, Some(address)) => format!("{own}{address}\t{hostname}\n"),
        (_, None) => own.to_owned(),
    };
    let resolv_conf = match container.net {
        Net::Bridge => reachable_servers(),
        Net::Isolated => String::new(),
        Net::Host => of_the_host(RESOLV_CONF),
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
        "no DNS server of this host can be reached from a container"
    ));
    String::new()
}

/// The address in a line such as "nameserver 192.0.2.1 # the router".
fn server(line: &str) -> Option<&str> {
    let value = line.strip_prefix("nameserver")?;
    let value = value.strip_prefix([' ', '\t'])?.trim_start();
    value.split([' ', '\t', '#', ';']).next()
}

/// The host's loopback device is not the container's, which has no IPv6 address either.
fn is_reachable(server: &str) -> bool {
    let address = server.parse();
    address.is_ok_and(|address: Ipv4Addr| !address.is_loopback() && !address.is_unspecified())
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
        let target = behind_links(place.clone());
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

/// The place that the link at `place` leads to, and the next link there, and so on: path_resolution(7).
fn behind_links(mut place: PathBuf) -> PathBuf {
    for _ in 0..40 {
        let Ok(link) = fs::read_link(&place) else {
            break;
        };
        place = place.with_file_name("").join(link);
    }
    place
}
// ANCHOR_END: mount_over
