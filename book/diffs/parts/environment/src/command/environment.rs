//! The environment variables of a command: `-e`, `--env-file`. environ(7).

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::failure::shown;

/// The PATH in a container, as in Docker.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// As the user types it.
#[derive(Args)]
pub struct Variables {
    /// Set an environment variable (without a value: copy it from your environment)
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Read environment variables from a file, one per line
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
}

impl Variables {
    // ANCHOR: resolve
    /// Puts the variables from the files first, so that the command line has the last word.
    ///
    /// A file may be a pipe, such as <(COMMAND). Waiting for its text should happen in the foreground.
    pub fn read_files(&mut self) -> Result<()> {
        let mut variables = Vec::new();
        for file in self.env_file.drain(..) {
            let cannot = || format!("cannot read {}", file.display());
            variables.extend(lines(&file).with_context(cannot)?);
        }
        self.env.splice(0..0, variables);
        Ok(())
    }

    /// For example "NAME=value".
    pub fn resolve(mut self) -> Result<Vec<String>> {
        self.read_files()?;
        for variable in &self.env {
            ensure!(
                !variable.is_empty() && !variable.starts_with('='),
                "'{variable}' is not a variable\nhint: use -e NAME=VALUE"
            );
        }
        Ok(self.env.into_iter().filter_map(with_value).collect())
    }
    // ANCHOR_END: resolve
}

/// In bytes: far more than such a file contains. It may be /dev/zero.
const MOST: u64 = 1 << 20;

// ANCHOR: lines
/// The variables in `file`. Quotes are no exception: like Docker, we take a line as it is.
fn lines(file: &Path) -> Result<Vec<String>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MOST + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= MOST, "it is larger than 1 MiB");
    // Some Windows editors begin a file with a byte order mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut variables = Vec::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let variable = variable(line).with_context(|| format!("line {}", number + 1))?;
        variables.extend(variable.map(str::to_owned));
    }
    Ok(variables)
}

/// What `line` sets, unless it is empty or a comment.
fn variable(line: &[u8]) -> Result<Option<&str>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = str::from_utf8(line).ok().context("it is not UTF-8")?;
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let name = name(line);
    ensure!(!name.is_empty(), "the name is missing: '{}'", shown(line));
    // For example `export B=2` or `C = 3`. A shell would set B and run C, and no program would find such a name.
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    ensure!(
        !name.contains(odd),
        "a variable name cannot contain whitespace or control characters: '{}'",
        shown(name)
    );
    ensure!(
        !line.contains('\0'),
        "the value of {name} contains a NUL byte"
    );
    Ok(Some(line))
}
// ANCHOR_END: lines

/// If a variable comes without a value, takes the caller's. If the caller has none, leaves it out.
fn with_value(variable: String) -> Option<String> {
    match variable.contains('=') {
        true => Some(variable),
        false => Some(format!("{variable}={}", env::var(&variable).ok()?)),
    }
}

// ANCHOR: complete
/// The complete environment of a command: what every container has, and its `own` variables.
///
/// It contains nothing of the caller's environment, which is the host's business and often contains secrets.
pub fn complete(hostname: &str, home: &str, own: &[String]) -> Vec<String> {
    let mut all = vec![
        format!("PATH={PATH}"),
        format!("HOSTNAME={hostname}"),
        format!("HOME={home}"),
        "TERM=xterm".to_owned(),
    ];
    for variable in own {
        // If a name comes twice, some programs would take the first value, and others the last.
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
