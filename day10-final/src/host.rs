//! Runs the host's own programs, such as ip(8) and nft(8). Several rooms use it.

use std::env;
use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};

use crate::signals::unblock;

/// Runs `command` with these `lines` as its input, and returns its output. If it fails, its first line on stderr is the
/// error.
pub fn run_with_stdin(command: &str, lines: &str) -> Result<String> {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let mut command = self::program(program);
    command.args(words).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut started = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("{program} is not in PATH"),
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

/// A program on the host. We unblock the signals for it, so that you can interrupt one that hangs.
pub fn program(name: &str) -> Command {
    let mut program = Command::new(name);
    // SAFETY: between fork and exec, one system call.
    unsafe { program.pre_exec(unblock) };
    program
}

/// Whether this `program` is in PATH.
pub fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals;

    #[test]
    fn a_program_of_the_host_can_be_ended_by_any_signal() {
        // In this test's thread only.
        let _held = signals::block().unwrap();
        let masks = run_with_stdin("grep ^SigBlk /proc/self/status", "").unwrap();
        assert_eq!(masks, "SigBlk:\t0000000000000000\n");
    }
}
