//! The host's side of `run`: starts the child, and waits for it. Called by `main`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::Pid;

use crate::cli::RunOptions;
use crate::failure::Failure;
use crate::signals;

/// Runs the command to its end, and returns the exit code to pass on.
pub fn run(options: RunOptions) -> Result<u8, Failure> {
    let (program, arguments) = (&options.command[0], &options.command[1..]);
    let signals = signals::block()?;
    let mut starting = Command::new(program);
    starting.args(arguments);
    // SAFETY: between fork and exec, one system call.
    unsafe { starting.pre_exec(signals::unblock) };
    let mut child = starting.spawn().map_err(|error| {
        let errno = error.try_into().unwrap_or(nix::Error::EIO);
        Failure::to_start(program, errno)
    })?;
    let pid = Pid::from_raw(child.id() as i32);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            return Ok(signals::exit_code(status));
        }
        signals::forward(&signals, pid)?;
    }
}
