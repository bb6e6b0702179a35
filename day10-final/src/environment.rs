//! The variables that a command finds: environ(7).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

/// Where the container's commands are looked for, as in Docker.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// As the user types it.
#[derive(Args)]
pub struct Variables {
    /// Give its command a variable; without a value, the one that you have
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// The same from a file, with a variable in each line
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
}

impl Variables {
    // ANCHOR: resolve
    /// As "NAME=value". Files come first, so that the command line has the last word.
    pub fn resolve(self) -> Result<Vec<String>> {
        let mut variables = Vec::new();
        for file in &self.env_file {
            let cannot = || format!("cannot read {}", file.display());
            variables.extend(lines(file).with_context(cannot)?);
        }
        variables.extend(self.env);
        for variable in &variables {
            ensure!(
                !variable.is_empty() && !variable.starts_with('='),
                "'{variable}' is no variable\nhint: -e NAME=VALUE"
            );
        }
        Ok(variables.into_iter().filter_map(with_value).collect())
    }
    // ANCHOR_END: resolve
}

/// Quotes are no exception: like Docker, we take a line as it is.
fn lines(file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file)?;
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// The caller's value for one that comes without. Where they have none, it does not come.
fn with_value(variable: String) -> Option<String> {
    match variable.contains('=') {
        true => Some(variable),
        false => Some(format!("{variable}={}", env::var(&variable).ok()?)),
    }
}

// ANCHOR: complete
/// All that a command finds: what each container has, and its `own`.
///
/// Nothing of the caller's environment: it is the host's business, and often its secrets.
pub fn complete(hostname: &str, home: &str, own: &[String]) -> Vec<String> {
    let mut all = vec![
        format!("PATH={PATH}"),
        format!("HOSTNAME={hostname}"),
        format!("HOME={home}"),
        "TERM=xterm".to_owned(),
    ];
    for variable in own {
        // Of two with one name, some programs would take the first, and others the last.
        all.retain(|other| name(other) != name(variable));
        all.push(variable.clone());
    }
    all
}
// ANCHOR_END: complete

/// The last value of the variable `wanted`.
pub fn value<'a>(environment: &'a [String], wanted: &str) -> Option<&'a str> {
    let mut variables = environment.iter().rev();
    let variable = variables.find(|variable| name(variable) == wanted)?;
    variable.split_once('=').map(|(_, value)| value)
}

fn name(variable: &str) -> &str {
    variable.split('=').next().unwrap_or(variable)
}
