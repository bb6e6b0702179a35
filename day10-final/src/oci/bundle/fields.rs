//! The fields of config.json that we read, and how the types of the crate `oci-spec` get them.
//!
//! The crate could read all of it, but it checks process.execCPUAffinity by a regular expression. The engine for that is
//! large, and its tables have so many addresses, which the dynamic linker fills in, that each of our execs takes longer,
//! even in tiny-docker's `run`. So we read two types, and the crate the rest.

use std::collections::HashMap;
use std::path::PathBuf;

use oci_spec::runtime::{
    Box as ConsoleSize, ExecCPUAffinity, Hooks, Linux, LinuxCapabilities, LinuxIOPriority, Mount,
    PosixRlimit, Process, Root, Scheduler, Spec, User,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// All but those for other systems than Linux.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecFields {
    #[serde(default)]
    oci_version: String,
    root: Option<Root>,
    mounts: Option<Vec<Mount>>,
    process: Option<ProcessFields>,
    hostname: Option<String>,
    domainname: Option<String>,
    hooks: Option<Hooks>,
    annotations: Option<HashMap<String, String>>,
    linux: Option<Linux>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessFields {
    terminal: Option<bool>,
    console_size: Option<ConsoleSize>,
    user: User,
    args: Option<Vec<String>>,
    env: Option<Vec<String>>,
    cwd: PathBuf,
    capabilities: Option<LinuxCapabilities>,
    rlimits: Option<Vec<PosixRlimit>>,
    no_new_privileges: Option<bool>,
    apparmor_profile: Option<String>,
    oom_score_adj: Option<i32>,
    selinux_label: Option<String>,
    io_priority: Option<LinuxIOPriority>,
    scheduler: Option<Scheduler>,
    #[serde(rename = "execCPUAffinity")]
    exec_cpu_affinity: Option<AffinityFields>,
}

/// Two lists as "0-3,7": [`crate::oci::process::affinity::check`].
#[derive(Deserialize)]
struct AffinityFields {
    initial: Option<String>,
    r#final: Option<String>,
}

/// For the `spec` in our own messages and files. By way of a Value, as [`super::Bundle`] reads it: otherwise, the code for
/// all these types would be in this program once more for each place where they come from.
pub fn spec<'de, D: Deserializer<'de>>(from: D) -> Result<Spec, D::Error> {
    let value = Value::deserialize(from)?;
    let fields = SpecFields::deserialize(&value).map_err(Error::custom)?;
    Ok(fields.into())
}

// Each field that is not empty by default is set here.

impl From<SpecFields> for Spec {
    fn from(fields: SpecFields) -> Self {
        let mut spec = Self::default();
        spec.set_version(fields.oci_version)
            .set_root(fields.root)
            .set_mounts(fields.mounts)
            .set_process(fields.process.map(Process::from))
            .set_hostname(fields.hostname)
            .set_domainname(fields.domainname)
            .set_hooks(fields.hooks)
            .set_annotations(fields.annotations)
            .set_linux(fields.linux);
        spec
    }
}

impl From<ProcessFields> for Process {
    fn from(fields: ProcessFields) -> Self {
        let mut process = Self::default();
        process
            .set_terminal(fields.terminal)
            .set_console_size(fields.console_size)
            .set_user(fields.user)
            .set_args(fields.args)
            .set_env(fields.env)
            .set_cwd(fields.cwd)
            .set_capabilities(fields.capabilities)
            .set_rlimits(fields.rlimits)
            .set_no_new_privileges(fields.no_new_privileges)
            .set_apparmor_profile(fields.apparmor_profile)
            .set_oom_score_adj(fields.oom_score_adj)
            .set_selinux_label(fields.selinux_label)
            .set_io_priority(fields.io_priority)
            .set_scheduler(fields.scheduler)
            .set_exec_cpu_affinity(fields.exec_cpu_affinity.map(|fields| {
                let mut affinity = ExecCPUAffinity::default();
                affinity
                    .set_initial(fields.initial)
                    .set_cpu_affinity_final(fields.r#final);
                affinity
            }));
        process
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_lost() {
        let docker = include_str!("../../../tests/day/oci/docker.json");
        let mut config: Value = serde_json::from_str(docker).unwrap();
        config["process"]["execCPUAffinity"] = json!({"initial": "0", "final": "0-1"});
        let by_crate: Spec = serde_json::from_value(config.clone()).unwrap();
        assert_eq!(spec(&config).unwrap(), by_crate);
        let least = json!({"process": {"user": {"uid": 0, "gid": 0}, "cwd": "/"}});
        let by_crate: Spec = serde_json::from_value(least.clone()).unwrap();
        assert_eq!(spec(&least).unwrap(), by_crate);
    }
}
