//! `ps`: the processes of a container, as ps(1) of the host shows them.

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::failure::print;
use crate::host::program;
use crate::oci::store::Store;

#[derive(Args)]
pub struct Options {
    #[arg(short, long, value_enum, default_value = "table")]
    format: Format,
    id: String,
    /// Options for ps(1)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub fn ps(options: &Options, store: &Store) -> Result<u8> {
    let entry = store.look(&options.id)?;
    let container = entry.read()?;
    drop(entry);
    let pids = container.groups.pids()?;
    let pids: Vec<_> = pids.iter().map(|pid| pid.as_raw()).collect();
    if options.format == Format::Json {
        return Ok(print(serde_json::to_string(&pids)?));
    }
    let mut ps = program("ps");
    match options.options.is_empty() {
        true => ps.arg("-ef"),
        false => ps.args(&options.options),
    };
    let output = ps.output().context("cannot run ps")?;
    ensure!(
        output.status.success(),
        "ps: {}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_whitespace().position(|word| word == "PID");
    let column = column.context("ps prints no column PID")?;
    let is_ours = |line: &&str| {
        let pid = line
            .split_whitespace()
            .nth(column)
            .and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid: i32| pids.contains(&pid))
    };
    let ours: Vec<_> = std::iter::once(head).chain(lines.filter(is_ours)).collect();
    Ok(print(ours.join("\n")))
}
