//! Writes the maps of a new user namespace: user_namespaces(7), newuidmap(1).

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::{Pid, getegid, geteuid};
use oci_spec::runtime::{LinuxIdMapping, Spec};

use crate::host::run_with_stdin;

/// Maps the ids of `process` as linux.uidMappings and linux.gidMappings say.
pub fn map(process: Pid, spec: &Spec) -> Result<()> {
    let linux = spec.linux().as_ref().context("linux is missing")?;
    let maps = [("uid", linux.uid_mappings()), ("gid", linux.gid_mappings())];
    for (kind, ids) in maps {
        let ids = ids.as_deref().unwrap_or_default();
        write(process, kind, ids)
            .with_context(|| format!("linux.{kind}Mappings: cannot map the ids"))?;
    }
    Ok(())
}

/// Writes one of the two maps: `kind` is uid or gid.
pub fn write(process: Pid, kind: &str, ids: &[LinuxIdMapping]) -> Result<()> {
    let own = match kind {
        "uid" => geteuid().as_raw(),
        _ => getegid().as_raw(),
    };
    let line =
        |id: &LinuxIdMapping| format!("{} {} {}", id.container_id(), id.host_id(), id.size());
    let lines: Vec<_> = ids.iter().map(line).collect();
    let only_own = matches!(ids, [id] if id.host_id() == own && id.size() == 1);
    let root = geteuid().is_root();
    if !root && !only_own {
        // Only root may write such a map. These programs are setuid root, and check /etc/subuid first.
        let words = lines.join(" ");
        return run_with_stdin(&format!("new{kind}map {process} {words}"), "").map(drop);
    }
    if !root && kind == "gid" {
        fs::write(format!("/proc/{process}/setgroups"), "deny").context("setgroups")?;
    }
    Ok(fs::write(
        format!("/proc/{process}/{kind}_map"),
        lines.join("\n") + "\n",
    )?)
}
