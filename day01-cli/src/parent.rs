//! The host's side of `run`: starts the child, and waits for it. Called by `main`.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::cli::RunOptions;
use crate::failure::Failure;
use crate::signals;

// ANCHOR: run
/// Runs the command to its end, and returns the exit code to pass on.
pub fn run(options: RunOptions) -> Result<u8, Failure> {
    let (program, arguments) = (&options.command[0], &options.command[1..]);
    let signals = signals::block()?;
    let mut starting = Command::new(program);
    starting.args(arguments);
    // SAFETY: between fork and exec, one system call.
    unsafe { starting.pre_exec(signals::unblock) };
    let mut child = starting
        .spawn()
        .map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))
        .map_err(|errno| Failure::to_start(program, errno))?;
    let pid = Pid::from_raw(child.id() as i32);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            return Ok(exit_code(status));
        }
        signals::forward(&signals, pid)?;
    }
}
// ANCHOR_END: run

/// The command's own exit code, or 128 + N where signal N killed it: as sh(1) and Docker count.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    code as u8
}
