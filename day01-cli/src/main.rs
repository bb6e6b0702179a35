//! tiny-docker: a container runtime small enough to read. This file knows the commands, and leaves the work to them.

mod cli;
mod failure;
mod parent;
mod signals;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;
use cli::{Cli, Command};
use failure::Failure;

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("tiny-docker needs Linux: build it there, on x86_64 or aarch64");

fn main() -> ExitCode {
    signals::expect_children();
    let outcome = dispatch(Cli::parse());
    outcome.unwrap_or_else(|failure| failure.report()).into()
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    match cli.command {
        Command::Run(options) => parent::run(options),
        Command::Ps => Err(anyhow!("cannot list containers: ps arrives on day 4").into()),
        Command::Logs { id } => {
            Err(anyhow!("cannot show {id}'s log: logs arrives on day 5").into())
        }
        Command::Stop { id } => Err(anyhow!("cannot stop {id}: stop arrives on day 6").into()),
    }
}
