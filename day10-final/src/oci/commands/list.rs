//! `list`: all containers.

use anyhow::Result;
use clap::{Args, ValueEnum};
use nix::unistd::User;
use serde::Serialize;

use crate::failure::print;
use crate::oci::container::Status;
use crate::oci::log::warn;
use crate::oci::store::Store;

#[derive(Args)]
pub struct Options {
    #[arg(short, long, value_enum, default_value = "table")]
    format: Format,
    /// Print ids only
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

#[derive(Serialize)]
struct Row {
    #[serde(rename = "ociVersion")]
    version: String,
    id: String,
    pid: i32,
    status: Status,
    bundle: String,
    rootfs: String,
    created: String,
    owner: String,
}

pub fn list(options: &Options, store: &Store) -> Result<u8> {
    let ids = store.ids()?;
    if options.quiet {
        let lines: Vec<_> = ids.iter().map(|id| format!("{id}\n")).collect();
        print_all(&lines.concat());
        return Ok(0);
    }
    let mut rows = Vec::new();
    for id in ids {
        match row(&id, store) {
            Ok(row) => rows.push(row),
            // It may have gone meanwhile.
            Err(error) => warn(&format!("{error:#}")),
        }
    }
    match options.format {
        Format::Json => Ok(print(serde_json::to_string(&rows)?)),
        Format::Table => {
            print_all(&table(&rows));
            Ok(0)
        }
    }
}

fn row(id: &str, store: &Store) -> Result<Row> {
    let entry = store.look(id)?;
    let container = entry.read()?;
    let status = entry.status(&container)?;
    let owner = User::from_uid(container.owner.into()).ok().flatten();
    Ok(Row {
        version: crate::oci::VERSION.to_owned(),
        pid: container.pid().map_or(0, |pid| pid.as_raw()),
        status,
        bundle: container.bundle.display().to_string(),
        rootfs: container.rootfs.display().to_string(),
        owner: owner.map_or_else(|| container.owner.to_string(), |user| user.name),
        created: container.created,
        id: container.id,
    })
}

fn table(rows: &[Row]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let cells = |row: &Row| {
        [
            row.id.clone(),
            row.pid.to_string(),
            row.status.name().to_owned(),
            row.bundle.clone(),
            row.created.clone(),
            row.owner.clone(),
        ]
    };
    let lines: Vec<_> = std::iter::once(head)
        .chain(rows.iter().map(cells))
        .collect();
    let width = |n: usize| lines.iter().map(|line| line[n].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..6).map(|n| width(n).max(11) + 1).collect();
    let mut text = String::new();
    for line in lines {
        for (cell, width) in line.iter().zip(&widths) {
            text += &format!("{cell:<width$}");
        }
        text = text.trim_end().to_owned() + "\n";
    }
    text
}

fn print_all(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
