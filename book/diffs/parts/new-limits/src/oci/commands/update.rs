//! `update`: other limits for a running container.

use std::fs::File;
use std::io::stdin;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use oci_spec::runtime::{Linux, LinuxResources};

use crate::oci::cgroup::update::{flags, json};
use crate::oci::commands::alive;
use crate::oci::store::Store;

/// Each of the options is a limit. What they mean is in [`flags`].
#[derive(Args)]
pub struct Options {
    id: String,
    /// A JSON file with resources as in config.json; - is stdin
    #[arg(short, long, value_name = "FILE")]
    resources: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
    #[arg(long, hide = true)]
    l3_cache_schema: Option<String>,
    #[arg(long, hide = true)]
    mem_bw_schema: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    blkio_weight: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpu_period: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpu_quota: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpu_burst: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpu_share: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpu_rt_period: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpu_rt_runtime: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpu_idle: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpuset_cpus: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    cpuset_mems: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    memory: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    memory_reservation: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    kernel_memory: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    kernel_memory_tcp: Option<String>,
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pids_limit: Option<String>,
}

impl Limits {
    /// Those that are given, by their names.
    fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = [
            ("blkio-weight", &self.blkio_weight),
            ("cpu-period", &self.cpu_period),
            ("cpu-quota", &self.cpu_quota),
            ("cpu-burst", &self.cpu_burst),
            ("cpu-share", &self.cpu_share),
            ("cpu-rt-period", &self.cpu_rt_period),
            ("cpu-rt-runtime", &self.cpu_rt_runtime),
            ("cpu-idle", &self.cpu_idle),
            ("cpuset-cpus", &self.cpuset_cpus),
            ("cpuset-mems", &self.cpuset_mems),
            ("memory", &self.memory),
            ("memory-swap", &self.memory_swap),
            ("memory-reservation", &self.memory_reservation),
            ("kernel-memory", &self.kernel_memory),
            ("kernel-memory-tcp", &self.kernel_memory_tcp),
            ("pids-limit", &self.pids_limit),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

// ANCHOR: update
pub fn update(options: &Options, store: &Store) -> Result<u8> {
    let (entry, mut container) = alive(&options.id, store)?;
    ensure!(
        options.l3_cache_schema.is_none() && options.mem_bw_schema.is_none(),
        "linux.intelRdt is not supported"
    );
    let new = match &options.resources {
        Some(file) if file.as_os_str() == "-" => json::read(stdin())?,
        Some(file) => {
            let opened = File::open(file);
            json::read(opened.with_context(|| format!("cannot open {}", file.display()))?)?
        }
        None => flags::resources(options.limits.given())?,
    };
    let none = LinuxResources::default();
    let linux = container.spec.linux().clone();
    let old = linux.as_ref().and_then(|linux| linux.resources().as_ref());
    let changed = container.groups.change(old.unwrap_or(&none), &new)?;
    let mut linux = linux.unwrap_or_else(|| {
        // The crate's default has namespaces and masks that nobody has asked for.
        let mut linux = Linux::default();
        linux.set_namespaces(None);
        linux.set_masked_paths(None).set_readonly_paths(None);
        linux
    });
    linux.set_resources(Some(changed));
    container.spec.set_linux(Some(linux));
    entry.save(&container)?;
    Ok(0)
}
// ANCHOR_END: update
