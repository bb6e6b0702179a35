//! `events`: what a container uses, again and again; and when it runs out of memory.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::oci::store::Store;

#[derive(Args)]
pub struct Options {
    /// How often: 5s, 100ms
    #[arg(long, value_name = "TIME", default_value = "5s")]
    interval: String,
    /// Once, and end
    #[arg(long)]
    stats: bool,
    id: String,
}

// ANCHOR: events
pub fn events(options: &Options, store: &Store) -> Result<u8> {
    let container = store.look(&options.id)?.read()?;
    ensure!(
        container.pid().is_some(),
        "container {} is not running",
        options.id
    );

    let interval = humantime::parse_duration(&options.interval).context("--interval")?;
    ensure!(!interval.is_zero(), "--interval must be more than 0");
    // A century will do. More is not for every clock.
    let interval = interval.min(Duration::from_secs(100 * 365 * 24 * 3600));
    let groups = &container.groups;
    let print = |kind: &str, data: Option<serde_json::Value>| {
        let mut event = json!({"type": kind, "id": container.id});
        if let Some(data) = data {
            event["data"] = data;
        }
        let text = format!(
            "{{\"type\":{},\"id\":{}{}}}\n",
            event["type"],
            event["id"],
            event
                .get("data")
                .map_or_else(String::new, |data| format!(",\"data\":{data}"))
        );
        let mut stdout = std::io::stdout();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
    };
    if options.stats {
        print("stats", Some(groups.stats()?))?;
        return Ok(0);
    }
    let mut kills = groups.oom_kills();
    let mut next = Instant::now() + interval;
    let pause = interval.min(Duration::from_millis(100));
    while container.pid().is_some() {
        let now = groups.oom_kills();
        if now > kills {
            print("oom", None)?;
        }
        kills = now;
        if Instant::now() >= next {
            next = Instant::now() + interval;
            match groups.stats() {
                Ok(stats) => print("stats", Some(stats))?,
                // It has ended in between.
                Err(_) if container.pid().is_none() => break,
                Err(error) => return Err(error),
            }
        }
        thread::sleep(pause);
    }
    Ok(0)
}
// ANCHOR_END: events
