//! `stats`: shows what containers use, once a second. sleep(3).
//!
//! [`usage`] measures it, and [`size`] formats it. The list of containers and the table are those of [`crate::ps`].

pub mod size;
pub mod usage;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::container::Container;
use crate::failure::shown;
use crate::ps::table::{Format, table};
use crate::state::store;
use crate::stats::usage::{Census, Usage, all_memory};
use crate::{ps, signals};

const HEADINGS: [&str; 8] = [
    "CONTAINER ID",
    "NAME",
    "CPU %",
    "MEM USAGE / LIMIT",
    "MEM %",
    "NET I/O",
    "BLOCK I/O",
    "PIDS",
];

/// CPU usage is measured over this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Clears the terminal, and goes to its first line: console_codes(4).
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Shown for what is not known yet.
const UNKNOWN: &str = "--";

/// Display a live stream of containers' resource usage
#[derive(Args)]
pub struct Options {
    /// Show all containers (default shows just running)
    #[arg(short, long)]
    all: bool,
    /// Print only the first result
    #[arg(long)]
    no_stream: bool,
    /// Output format: table, or json (one object per line)
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        hide_default_value = true
    )]
    format: Format,
    /// The containers' names or ids, or unique prefixes of the ids [default: all that are running]
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

// ANCHOR: print
/// Prints what the containers use that the `options` ask for, again and again until nobody reads it any more.
pub fn print(options: &Options, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    let mut before = Sample::take(options, state)?;
    loop {
        sleep(INTERVAL);
        let sample = Sample::take(options, state)?;
        let rows = sample.rows(&before);
        let mut text: String = match options.format {
            Format::Table => table(HEADINGS, rows),
            Format::Json => rows.iter().map(|row| format!("{}\n", json(row))).collect(),
        };
        if !options.no_stream && io::stdout().is_terminal() {
            text.insert_str(0, CLEAR);
        }
        io::stdout()
            .write_all(text.as_bytes())
            .context("cannot print")?;
        if options.no_stream {
            return Ok(0);
        }
        before = sample;
    }
}
// ANCHOR_END: print

/// What the containers had used at one point in time.
struct Sample {
    time: Instant,
    usages: Vec<(Container, Option<Usage>)>,
}

impl Sample {
    fn take(options: &Options, state: &Path) -> Result<Self> {
        let containers = match &options.ids[..] {
            [] => ps::listed(options.all, state)?,
            ids => ids
                .iter()
                .map(|id| find(id, state))
                .collect::<Result<_>>()?,
        };
        let (time, census) = (Instant::now(), Census::take());
        let usages = containers.into_iter().map(|container| {
            let usage = Usage::of(&container, &census);
            (container, usage)
        });
        let usages = usages.collect();
        Ok(Self { time, usages })
    }

    fn rows(&self, before: &Self) -> Vec<[String; 8]> {
        let seconds = (self.time - before.time).as_secs_f64();
        let row = |(container, usage): &(Container, Option<Usage>)| {
            let same = before
                .usages
                .iter()
                .find(|(other, _)| other.id == container.id);
            let earlier = same.and_then(|(_, usage)| *usage);
            let cpu = match (usage, earlier) {
                (None, _) => percent(0.0, seconds),
                (Some(now), Some(earlier)) => {
                    percent(now.cpu.saturating_sub(earlier.cpu).as_secs_f64(), seconds)
                }
                (Some(_), None) => UNKNOWN.to_owned(),
            };
            row(container, *usage, cpu)
        };
        self.usages.iter().map(row).collect()
    }
}

fn find(id: &str, state: &Path) -> Result<Container> {
    store::find(state, id)
        .with_context(|| format!("cannot show the resource usage of {}", shown(id)))
}

/// A container that has ended uses nothing. As in Docker, it does not even show a limit.
fn row(container: &Container, usage: Option<Usage>, cpu: String) -> [String; 8] {
    let limit = usage
        .map(|_| container.limits.memory.unwrap_or_else(all_memory))
        .unwrap_or_default();
    let usage = usage.unwrap_or_default();
    let pair =
        |[one, other]: [u64; 2]| format!("{} / {}", size::of_data(one), size::of_data(other));
    let name = if container.name.is_empty() {
        UNKNOWN
    } else {
        &container.name
    };
    [
        container.id.to_string(),
        name.to_owned(),
        cpu,
        format!(
            "{} / {}",
            size::of_memory(usage.memory),
            size::of_memory(limit)
        ),
        percent(usage.memory as f64, limit as f64),
        pair(usage.network),
        pair(usage.block),
        usage.tasks.to_string(),
    ]
}

fn json(row: &[String; 8]) -> serde_json::Value {
    let [id, name, cpu, memory, share, network, block, tasks] = row;
    json!({
        "ID": id, "Container": id, "Name": name, "CPUPerc": cpu, "MemUsage": memory, "MemPerc": share,
        "NetIO": network, "BlockIO": block, "PIDs": tasks,
    })
}

fn percent(part: f64, whole: f64) -> String {
    format!(
        "{:.2}%",
        if whole > 0.0 {
            100.0 * part / whole
        } else {
            0.0
        }
    )
}
