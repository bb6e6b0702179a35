//! `spec`: a config.json to begin with. It runs sh in a root filesystem that is in rootfs/.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::{getegid, geteuid};
use serde_json::{Value, json};

#[derive(Args)]
pub struct Options {
    /// The bundle's directory
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    bundle: PathBuf,
    /// For an ordinary user
    #[arg(long)]
    rootless: bool,
}

// ANCHOR: write
pub fn write(options: &Options) -> Result<u8> {
    let path = options.bundle.join("config.json");
    let cannot = || format!("cannot create {}", path.display());
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => anyhow!("it exists already\nhint: remove it first"),
            _ => error.into(),
        })
        .with_context(cannot)?;
    let mut config = root();
    if has_v2()
        && let Value::Array(namespaces) = &mut config["linux"]["namespaces"]
    {
        // In version 1, a container sees its groups by bind mounts as well.
        namespaces.push(json!({"type": "cgroup"}));
    }
    if options.rootless {
        make_rootless(&mut config);
    }
    let text = serde_json::to_string_pretty(&config)? + "\n";
    file.write_all(text.as_bytes()).with_context(cannot)?;
    Ok(0)
}
// ANCHOR_END: write

fn has_v2() -> bool {
    statfs("/sys/fs/cgroup").is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC)
}

// ANCHOR: root
fn root() -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": crate::oci::VERSION,
        "process": {
            "terminal": true,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM=xterm",
            ],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "tiny-runc",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"},
                {"type": "uts"}, {"type": "mount"},
            ],
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
                "/proc/scsi",
            ],
            "readonlyPaths": [
                "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
            ],
        },
    })
}
// ANCHOR_END: root

/// One user namespace more, and nothing that an ordinary user must not do: the host's network stays, so its /sys is only
/// shown; and there are no groups, and no limits.
fn make_rootless(config: &mut Value) {
    let ids = |own: u32| json!([{"containerID": 0, "hostID": own, "size": 1}]);
    let linux = &mut config["linux"];
    linux["uidMappings"] = ids(geteuid().as_raw());
    linux["gidMappings"] = ids(getegid().as_raw());
    if let Value::Object(linux) = linux {
        linux.remove("resources");
    }
    if let Value::Array(namespaces) = &mut linux["namespaces"] {
        namespaces.retain(|namespace| namespace["type"] != "network");
        namespaces.push(json!({"type": "user"}));
    }
    let Value::Array(mounts) = &mut config["mounts"] else {
        return;
    };
    mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
    for mount in mounts {
        if let Value::Array(options) = &mut mount["options"] {
            options.retain(|option| option != "gid=5");
        }
        if mount["destination"] == "/sys" {
            *mount = json!({"destination": "/sys", "type": "none", "source": "/sys",
                "options": ["rbind", "rnosuid", "rnoexec", "rnodev", "rro"]});
        }
    }
}
