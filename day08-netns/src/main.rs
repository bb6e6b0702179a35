//! tiny-docker: a container runtime small enough to read. This file knows the commands, and leaves the work to them.

mod cgroup;
mod child;
mod cli;
mod command;
mod container;
mod detach;
mod failure;
mod logs;
mod namespaces;
mod network;
mod parent;
mod ps;
mod rootfs;
mod signals;
mod state;
mod stop;
mod terminal;

use std::env;
use std::process::ExitCode;

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
    let state = || state::directory(cli.root);
    let outcome = match cli.command {
        Command::Run(options) if options.detach => {
            let state = state()?;
            return detach::run(|caller| parent::run(options, &state, Some(caller)));
        }
        Command::Run(options) => return parent::run(options, &state()?, None),
        Command::Ps { all } => ps::print(all, &state()?),
        Command::Logs { follow, id } => logs::print(&id, follow, &state()?),
        Command::Stop { time, ids } => stop::stop(&ids, time, &state()?),
    };
    // `run` has exit codes of its own. Docker's other commands share one.
    outcome.map_err(Failure::ordinary)
}
