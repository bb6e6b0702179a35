//! `ps`: lists containers. It reads the records and changes none of them. Called by `main`; `stats` and `prune` list
//! them here, too.

pub mod age;
pub mod table;

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::container::{Container, Status};
use crate::failure::{escaped_json, warn};
use crate::image::settings;
use crate::network::Net;
use crate::network::exposed::Exposed;
use crate::ps::table::{Format, table};
use crate::signals;
use crate::state::store;

const HEADINGS: [&str; 7] = [
    "CONTAINER ID",
    "IMAGE",
    "COMMAND",
    "CREATED",
    "STATUS",
    "PORTS",
    "NAMES",
];

/// How much of a command is shown, in characters.
const ENOUGH: usize = 20;

/// List containers
#[derive(Args)]
pub struct Options {
    /// Show all containers (default shows just running)
    #[arg(short, long)]
    all: bool,
    /// Show the last N created containers (includes all states)
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// Show the latest created container (includes all states)
    #[arg(short, long)]
    latest: bool,
    /// Only display container ids
    #[arg(short, long)]
    quiet: bool,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Output format: table, or json (one object per line)
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        hide_default_value = true
    )]
    format: Format,
}

/// Prints the running containers, or those that the `options` ask for, the newest first.
pub fn print(options: &Options, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    let newest = if options.latest {
        Some(1)
    } else {
        options.last
    };
    let mut containers = listed(options.all || newest.is_some(), state)?;
    containers.truncate(newest.unwrap_or(usize::MAX));
    let row = |container: &Container| row(container, options.no_trunc, state);
    let containers = containers.iter();
    let text: String = match options.format {
        _ if options.quiet => containers.map(|it| format!("{}\n", it.id)).collect(),
        Format::Table => table(HEADINGS, containers.map(row).collect()),
        Format::Json => containers
            .map(|it| escaped_json(&format!("{}\n", json(it, row(it)))))
            .collect(),
    };
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot print")?;
    Ok(0)
}

/// The running containers, or `all`, the newest first. It warns of records that cannot be read.
pub fn listed(all: bool, state: &Path) -> Result<Vec<Container>> {
    let mut containers = Vec::new();
    for container in store::all(state).context("cannot list containers")? {
        match container {
            Ok(container) => containers.push(container),
            Err(error) => warn(&error),
        }
    }
    containers.retain(|container| all || container.status == Status::Running);
    containers.sort_by_key(|container| {
        // The time of creation is in seconds, and that of the process in hundredths of them.
        Reverse((container.created_at.clone(), container.process.clone()))
    });
    Ok(containers)
}

fn row(container: &Container, whole: bool, state: &Path) -> [String; 7] {
    let created = age::since(&container.created_at);
    let running = container.status == Status::Running;
    [
        container.id.to_string(),
        image(container, state),
        command(&container.command, whole),
        created.map_or_else(String::new, |age| format!("{age} ago")),
        status(container),
        if running {
            ports(container)
        } else {
            String::new()
        },
        container.name.clone(),
    ]
}

/// The same and more, under Docker's names.
fn json(container: &Container, row: [String; 7]) -> serde_json::Value {
    let [id, image, command, created, status, ports, name] = row;
    // For example "2026-11-24 20:11:00 +0000 UTC".
    let at = container
        .created_at
        .replace('T', " ")
        .replace('Z', " +0000 UTC");
    let labels = container.notes.labels.iter();
    let labels = labels.map(|(name, value)| format!("{name}={value}"));
    json!({
        "Labels": labels.collect::<Vec<_>>().join(","),
        "ID": id, "Image": image, "Command": command, "CreatedAt": at, "RunningFor": created, "Status": status,
        "State": container.status.to_string(), "Ports": ports, "Names": name, "Networks": container.net.in_docker(),
    })
}

/// Without an image, this is the name of the directory with the root filesystem.
pub fn image(container: &Container, state: &Path) -> String {
    if let Some(image) = &container.image {
        return settings::shown_as(image, state);
    }
    let rootfs = &container.rootfs;
    match rootfs.file_name() {
        _ if *rootfs == state.join("rootfs/default") => "default".to_owned(),
        Some(name) => name.to_string_lossy().into_owned(),
        None => rootfs.display().to_string(),
    }
}

/// Those that only other containers can reach come first.
fn ports(container: &Container) -> String {
    let inside = match container.net {
        Net::Bridge => Exposed::unpublished(&container.notes.exposed, &container.ports),
        Net::Isolated | Net::Host => Vec::new(),
    };
    let inside = inside.iter().map(ToString::to_string);
    let published = container.ports.to_string();
    let all = inside.chain(Some(published).filter(|ports| !ports.is_empty()));
    all.collect::<Vec<_>>().join(", ")
}

/// The command, in quotes. An argument with blanks has its own quotes, as the user will have typed them.
fn command(words: &[String], whole: bool) -> String {
    let quoted = words
        .iter()
        .enumerate()
        .map(|(n, word)| match n > 0 && word.contains(' ') {
            true => format!("'{word}'"),
            false => word.clone(),
        });
    let mut command = quoted.collect::<Vec<_>>().join(" ");
    if !whole && command.chars().count() > ENOUGH {
        command = command.chars().take(ENOUGH - 1).chain(['…']).collect();
    }
    format!("{command:?}")
}

// ANCHOR: status
/// A container starts when it is created. If its `run` was killed, nobody knows when it ended.
fn status(container: &Container) -> String {
    match container.status {
        Status::Created => return "Created".to_owned(),
        Status::Running => {
            let age = age::since(&container.created_at);
            return age.map_or("Up".to_owned(), |age| format!("Up {age}"));
        }
        Status::Exited | Status::Stopped => (),
    }
    let mut status = "Exited".to_owned();
    if let Some(code) = container.exit_code {
        let memory = container.out_of_memory && container.status == Status::Exited;
        let why = if memory { ", out of memory" } else { "" };
        let _ = write!(status, " ({code}{why})");
    }
    if let Some(age) = container.finished_at.as_deref().and_then(age::since) {
        let _ = write!(status, " {age} ago");
    }
    status
}
// ANCHOR_END: status
