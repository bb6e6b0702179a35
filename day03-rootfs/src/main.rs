//! tiny-docker: a container runtime small enough to read. This file knows the commands, and leaves the work to them.

mod child;
mod cli;
mod command;
mod container;
mod failure;
mod namespaces;
mod parent;
mod rootfs;
mod signals;
mod state;
mod terminal;

use std::env;
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
    // The container's side of `run` gets its orders through a socket, not from the command line.
    let is_child = env::args_os().nth(1).is_some_and(|word| word == "child");
    let outcome = if is_child {
        child::main()
    } else {
        dispatch(Cli::parse())
    };
    outcome.unwrap_or_else(|failure| failure.report()).into()
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    match cli.command {
        Command::Run(options) => parent::run(options, &state::directory(cli.root)?),
        Command::Ps => Err(anyhow!("cannot list containers: ps arrives on day 4").into()),
        Command::Logs { id } => {
            Err(anyhow!("cannot show {id}'s log: logs arrives on day 5").into())
        }
        Command::Stop { id } => Err(anyhow!("cannot stop {id}: stop arrives on day 6").into()),
    }
}
