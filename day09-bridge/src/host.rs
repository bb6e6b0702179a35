//! Runs the host's own programs: ip(8), nft(8).

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};

const PACKAGES: &str = "hint: install iproute2 and nftables";

/// Runs `command` with these `lines` as its input, and returns its output. If it fails, its first line on stderr is the
/// error.
pub fn run_with_stdin(command: &str, lines: &str) -> Result<String> {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut started = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("{program} is not in PATH\n{PACKAGES}"),
        _ => anyhow!("cannot run {program}: {error}"),
    })?;
    if let Some(mut stdin) = started.stdin.take() {
        // A program that does not read to the end says why.
        let _ = stdin.write_all(lines.as_bytes());
    }
    let waited = started.wait_with_output();
    let output = waited.with_context(|| format!("cannot wait for {program}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or("it gave no reason");
    ensure!(output.status.success(), "{program}: {complaint}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
