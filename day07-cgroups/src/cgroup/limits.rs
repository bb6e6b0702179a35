//! How much a container may use: `--memory`, `--cpus`, `--pids-limit`.
//!
//! The command line reads it, the record keeps it, and `cgroup` has the kernel enforce it.

use std::thread;

use clap::Args;
use serde::{Deserialize, Serialize};

/// Docker's minimum. Below it, a program may not even start.
const LEAST_MEMORY: u64 = 6 << 20;

/// The kernel's minimum: 1 ms of each 100.
const LEAST_CPUS: f64 = 0.01;

/// The most that one machine can have: PID_MAX_LIMIT.
const MOST_PIDS: u64 = 1 << 22;

// ANCHOR: limits
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
    #[arg(long, value_name = "NUMBER", value_parser = pids, allow_hyphen_values = true)]
    pub pids_limit: Option<u64>,
}
// ANCHOR_END: limits

/// Bytes, from a number and a unit, each a power of 1024.
fn memory(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(['k', 'm', 'g']);
    let unit = match &text[number.len()..] {
        "" => Some(1),
        "k" => Some(1 << 10),
        "m" => Some(1 << 20),
        "g" => Some(1 << 30),
        _ => None,
    };
    let number = number.parse().ok().zip(unit);
    match number.and_then(|(number, unit): (u64, u64)| number.checked_mul(unit)) {
        None => Err("expected a size, for example 128m or 1g".to_owned()),
        Some(..LEAST_MEMORY) => Err("a container needs at least 6m".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

fn cpus(text: &str) -> Result<f64, String> {
    let most = thread::available_parallelism().map_or(f64::INFINITY, |n| n.get() as f64);
    let cpus = text.parse().ok();
    let possible = cpus.filter(|cpus| (LEAST_CPUS..=most).contains(cpus));
    let range = format!("{LEAST_CPUS} to {most} (all available CPUs)");
    possible.ok_or_else(|| format!("expected a number from {range}"))
}

fn pids(text: &str) -> Result<u64, String> {
    let pids = text.parse().ok();
    let possible = pids.filter(|pids| (1..=MOST_PIDS).contains(pids));
    possible.ok_or_else(|| format!("expected a number from 1 to {MOST_PIDS}"))
}
