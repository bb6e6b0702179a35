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
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(0),
        "k" | "kb" => Some(1),
        "m" | "mb" => Some(2),
        "g" | "gb" => Some(3),
        _ => None,
    };
    let (Ok(number), Some(power)) = (number.parse::<f64>(), power) else {
        return Err("expected a number, optionally followed by b, k, m or g".to_owned());
    };
    let bytes = number * 1024_f64.powi(power);
    if bytes == 0.0 {
        return Err("to set no limit, leave out the option".to_owned());
    }
    if bytes > i64::MAX as f64 {
        return Err("no machine has that much memory".to_owned());
    }
    let bytes = bytes as u64;
    match bytes < LEAST_MEMORY {
        true => Err("a container needs at least 6m".to_owned()),
        false => Ok(bytes),
    }
}

fn cpus(text: &str) -> Result<f64, String> {
    let Ok(cpus) = text.parse::<f64>() else {
        return Err("expected a number".to_owned());
    };
    let most = thread::available_parallelism().map_or(f64::INFINITY, |n| n.get() as f64);
    match (LEAST_CPUS..=most).contains(&cpus) {
        true => Ok(cpus),
        false => Err(format!(
            "expected a number from {LEAST_CPUS} to {most} (all available CPUs)"
        )),
    }
}

fn pids(text: &str) -> Result<u64, String> {
    let pids = text.parse().ok();
    let possible = pids.filter(|pids| (1..=MOST_PIDS).contains(pids));
    possible.ok_or_else(|| format!("expected a number from 1 to {MOST_PIDS}"))
}
