//! How much a container may use: `--memory`, `--cpus`, `--pids-limit`.
//!
//! The command line reads it, the record keeps it, and `cgroup` has the kernel enforce it.

use clap::{Args, value_parser};
use serde::{Deserialize, Serialize};

/// None means no limit.
#[derive(Args, Clone, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Memory limit (for example 128m or 1g)
    #[arg(short, long, value_name = "SIZE", value_parser = memory, allow_hyphen_values = true)]
    pub memory: Option<u64>,
    /// Number of CPUs (for example 0.5 or 2)
    #[arg(long, value_name = "NUMBER", value_parser = cpus, allow_hyphen_values = true)]
    pub cpus: Option<f64>,
    /// Maximum number of processes and threads
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    #[arg(value_parser = value_parser!(u64).range(1..=1 << 22))] // the kernel's PID_MAX_LIMIT
    pub pids_limit: Option<u64>,
}

/// Bytes, from a number and a unit, each a power of 1024.
fn memory(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(['k', 'm', 'g']);
    let mut units = ["", "k", "m", "g"].into_iter();
    let power = units.position(|unit| unit == &text[number.len()..]);
    let parts = number.parse().ok().zip(power);
    match parts.and_then(|(number, power): (u64, usize)| number.checked_mul(1 << (10 * power))) {
        None => Err("expected a size, for example 128m or 1g".to_owned()),
        // Docker's minimum. Below it, a program may not even start.
        Some(bytes) if bytes < 6 << 20 => Err("a container needs at least 6m".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

fn cpus(text: &str) -> Result<f64, String> {
    // The kernel's minimum: 1 ms of each 100.
    let possible = |cpus: &f64| *cpus >= 0.01 && cpus.is_finite();
    let cpus = text.parse().ok().filter(possible);
    cpus.ok_or_else(|| "expected a number, at least 0.01".to_owned())
}
