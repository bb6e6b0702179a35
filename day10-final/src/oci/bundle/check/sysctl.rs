//! `linux.sysctl`: the kernel's settings, of which a container may have its own where a namespace has. sysctl(8).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use oci_spec::runtime::{Linux, LinuxNamespaceType as Namespace, Spec};

use crate::oci::namespaces::wanted;

// ANCHOR: check
/// Only what belongs to a namespace of the container may be set: the rest is the host's.
pub fn check(spec: &Spec, linux: &Linux) -> Result<()> {
    let own = |kind| wanted(spec, kind).is_some_and(|path| !is_hosts(path));
    let domain = spec.domainname().as_deref();
    let domain = domain.filter(|name| !name.is_empty());
    for (name, value) in linux.sysctl().iter().flatten() {
        let field = format!("linux.sysctl: {name}");
        let path = path(name);
        let is_name = |part: &str| !["", ".", ".."].contains(&part);
        ensure!(
            path.split('/').all(is_name) && !path.contains('\0'),
            "linux.sysctl: {name:?} is not the name of a setting"
        );
        let ipc = [
            "kernel/msgmax",
            "kernel/msgmnb",
            "kernel/msgmni",
            "kernel/sem",
        ];
        let ipc = ipc.contains(&path.as_str())
            || path.starts_with("kernel/shm")
            || path.starts_with("fs/mqueue/");
        match path.as_str() {
            _ if ipc => ensure!(own(Namespace::Ipc), "{field} needs an ipc namespace"),
            _ if path.starts_with("net/") => {
                ensure!(own(Namespace::Network), "{field} needs a network namespace");
            }
            "kernel/domainname" => {
                ensure!(
                    domain.is_none_or(|domain| domain == value),
                    "{field}: the field domainname says otherwise"
                );
                ensure!(own(Namespace::Uts), "{field} needs a uts namespace");
            }
            "kernel/hostname" => bail!("{field}: use the field hostname"),
            _ => bail!("{field} is not separate from the host's"),
        }
    }
    Ok(())
}
// ANCHOR_END: check

/// Whether the namespace at `path` is ours: what is set there would be set for the host.
fn is_hosts(path: Option<&Path>) -> bool {
    let inode = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    let Some(given) = path.and_then(inode) else {
        return false;
    };
    let own = ["net", "ipc", "uts"].map(|kind| inode(&Path::new("/proc/self/ns").join(kind)));
    own.contains(&Some(given))
}

/// Where a setting is, below /proc/sys. As in sysctl(8), either may separate: net.ipv4.conf.eth0/1.forwarding and
/// net/ipv4/conf/eth0.1/forwarding mean an interface with a dot.
pub fn path(name: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    match name.find(['.', '/']) {
        Some(at) if name.as_bytes()[at] == b'/' => name.to_owned(),
        _ => name.chars().map(swap).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_separator() {
        let forwarding = "net/ipv4/conf/eth0.1/forwarding";
        assert_eq!(path("net.ipv4.conf.eth0/1.forwarding"), forwarding);
        assert_eq!(path(forwarding), forwarding);
    }

    #[test]
    fn no_way_leads_to_a_setting_of_the_host() {
        let allowed = |name: &str| {
            let namespaces = serde_json::json!([{"type": "network"}, {"type": "ipc"}]);
            let linux = serde_json::json!({"namespaces": namespaces, "sysctl": {name: "1"}});
            let config = serde_json::json!({"ociVersion": "1.0.0", "linux": linux});
            let spec: Spec = serde_json::from_value(config).unwrap();
            check(&spec, spec.linux().as_ref().unwrap()).is_ok()
        };
        assert!(allowed("net.ipv4.ip_forward") && allowed("fs/mqueue/msg_max"));
        let wrong = [
            "kernel.panic",
            "net/../kernel/panic",
            "net.//.kernel.panic",
            "net..x",
            "net/\0",
            "",
        ];
        for name in wrong {
            assert!(!allowed(name), "{name}");
        }
    }
}
