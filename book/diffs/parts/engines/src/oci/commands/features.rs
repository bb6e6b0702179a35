//! `features`: what this runtime can do, for whoever calls it. features.md of the OCI runtime specification.

use anyhow::Result;
use serde_json::json;

use crate::oci::VERSION;
use crate::oci::commands;
use crate::oci::process::nodes;
use crate::oci::rootfs::options;
use crate::oci::seccomp::names;

pub fn print() -> Result<u8> {
    // In the kernel's order: what is printed is the same each time.
    let mut capabilities: Vec<_> = caps::all().into_iter().collect();
    capabilities.sort_by_key(|each| each.index());
    let capabilities: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
    commands::print(&json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": VERSION,
        "hooks": [
            "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
        ],
        "mountOptions": options::names(),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": capabilities,
            "cgroup": {"v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": true},
            "seccomp": {
                "enabled": true,
                "actions": names::ACTIONS,
                "operators": names::OPERATORS,
                "archs": names::ARCHITECTURES,
                "knownFlags": names::FLAGS,
                "supportedFlags": names::supported_flags(),
            },
            "apparmor": {"enabled": true},
            "selinux": {"enabled": true},
            "intelRdt": {"enabled": false},
            "mountExtensions": {"idmap": {"enabled": true}},
            "netDevices": {"enabled": false},
            "memoryPolicy": {
                "modes": nodes::MODES.map(|(mode, _)| mode),
                "flags": nodes::FLAGS.map(|(flag, _)| flag),
            },
        },
        "potentiallyUnsafeConfigAnnotations": [],
    }))
}
