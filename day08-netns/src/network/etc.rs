//! The three files in /etc that are about the network: hosts(5), hostname(5), resolv.conf(5).
//!
//! The [parent](crate::parent) writes them, and [`rootfs::etc`](crate::rootfs::etc) mounts them.

use std::fs;

use anyhow::{Context, Result};

use crate::container::Container;
use crate::network::Net;

pub const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

const RESOLV_CONF: &str = "/etc/resolv.conf";

const LOCALHOST: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";

/// Writes the files of `container`.
pub fn write(container: &Container) -> Result<()> {
    let (directory, hostname) = (&container.etc, &container.hostname);
    let (hosts, resolv_conf) = match container.net {
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
