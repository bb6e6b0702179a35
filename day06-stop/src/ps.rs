//! `ps`: lists containers. It reads the records and changes none of them. Called by `main`.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::container::{Container, Status};
use crate::failure::{escaped, warn};
use crate::signals;
use crate::state::store;

const HEADINGS: [&str; 4] = ["CONTAINER ID", "PID", "STATUS", "COMMAND"];

/// Prints the running containers, or `all`, the newest first.
pub fn print(all: bool, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    let mut containers = Vec::new();
    for container in store::all(state).context("cannot list containers")? {
        match container {
            Ok(container) => containers.push(container),
            Err(error) => warn(&error),
        }
    }
    containers.retain(|container| all || container.status == Status::Running);
    containers.sort_by_key(|container| {
        // The first is in seconds, the start of a process in hundredths.
        Reverse((container.created_at.clone(), container.process.clone()))
    });
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(containers.iter().map(row));
    let printed = io::stdout().write_all(table(&rows).as_bytes());
    printed.context("cannot print")?;
    Ok(0)
}

fn row(container: &Container) -> [String; 4] {
    let running = container.status == Status::Running;
    let process = container.process.as_ref().filter(|_| running);
    let status = match container.exit_code {
        Some(code) => format!("{} ({code})", container.status),
        None => container.status.to_string(),
    };
    [
        container.id.to_string(),
        process.map_or("-".to_owned(), |process| process.pid.to_string()),
        status,
        // A line break in an argument would break the table.
        escaped(&container.command.join(" ")).replace('\n', "\\n"),
    ]
}

/// Columns as wide as they need to be, and three spaces between them.
fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [id, pid, status] = [width(0), width(1), width(2)];
    let mut table = String::new();
    for [a, b, c, command] in rows {
        table += &format!("{a:id$}   {b:pid$}   {c:status$}   {command}\n");
    }
    table
}
