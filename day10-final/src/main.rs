//! tiny-docker: a container runtime that is small enough to read.

mod addresses;
mod age;
mod binary;
mod bridge;
mod capabilities;
mod cgroup;
mod child;
mod cli;
mod command;
mod completion;
mod container;
mod default_rootfs;
mod detach;
mod dev;
mod environment;
mod etc;
mod examples;
mod exec;
mod failure;
mod firewall;
mod guest;
mod hierarchy;
mod host;
mod id;
mod idmap;
mod info;
mod init;
mod inspect;
mod instead;
mod kill;
mod lane;
mod layer;
mod limits;
mod lock;
mod logs;
mod lookup;
mod masks;
mod mounts;
mod name;
mod namespaces;
mod network;
mod parent;
mod pidfd;
mod place;
mod ports;
mod privileges;
mod process;
mod proxy;
mod prune;
mod ps;
mod pty;
mod publish;
mod record;
mod relay;
mod rm;
mod rootfs;
mod seccomp;
mod signals;
mod size;
mod slip;
mod spoofing;
mod state;
mod stats;
mod stdio;
mod stop;
mod store;
mod subnet;
mod switches;
mod syscalls;
mod table;
mod tail;
mod terminal;
mod tmpfs;
mod usage;
mod user;
mod volume;
mod wait;
mod waiter;
mod workdir;

use std::env;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{CommandFactory, FromArgMatches, Parser};
use cli::{Cli, Command};
use failure::Failure;

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("tiny-docker is made of parts of Linux: build it there, on x86_64 or aarch64");

// ANCHOR: main
fn main() -> ExitCode {
    signals::expect_children();
    // The container's side of `run` and `exec` gets its orders through a socket, not from a command line.
    let role = env::args_os().nth(1);
    let outcome = match role.as_ref().and_then(|role| role.to_str()) {
        Some("child") => child::main(),
        Some("guest") => guest::main(),
        _ => parse().and_then(dispatch),
    };
    outcome.unwrap_or_else(|failure| failure.report()).into()
}

/// clap says what is wrong with the command line, unless it is one that Docker would understand.
fn parse() -> Result<Cli, Failure> {
    let parsed = Cli::try_parse().or_else(|error| match switches::may_have_value(&error) {
        true => {
            let command = switches::with_values(Cli::command());
            Cli::from_arg_matches(&command.try_get_matches()?)
        }
        false => Err(error),
    });
    parsed.map_err(|error| match instead::find(&error) {
        Some(reason) => Failure {
            code: slip::code(&error),
            reason: anyhow!(reason),
        },
        None => slip::end(error),
    })
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    match cli.command {
        Command::Run(mut options) if options.detach => {
            options.environment.read_files()?;
            let state = state::directory(cli.root)?;
            let keep_stdin = options.interactive && !options.tty;
            detach::run(keep_stdin, |caller| {
                parent::run(*options, &state, Some(caller))
            })
        }
        Command::Run(options) => parent::run(*options, &state::directory(cli.root)?, None),
        Command::Exec(mut options) if options.detach => {
            options.environment.read_files()?;
            let state = state::directory(cli.root)?;
            detach::run(false, |caller| exec::run(*options, &state, Some(caller)))
        }
        Command::Exec(options) => exec::run(*options, &state::directory(cli.root)?, None),
        Command::Ps(options) => {
            ps::print(&options, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Inspect { ids } => {
            inspect::inspect(&ids, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Stats(options) => {
            stats::print(&options, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Logs { follow, tail, id } => {
            logs::print(&id, follow, tail, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Rm { force, ids, .. } => {
            rm::remove(&ids, force, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Kill { signal, ids } => {
            kill::kill(&ids, &signal, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Wait { ids } => {
            wait::wait(&ids, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Prune { force } => {
            prune::prune(force, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
        Command::Completion { shell } => completion::print(shell).map_err(Failure::of_a_look),
        Command::Info => info::print(&state::directory(cli.root)?).map_err(Failure::of_a_look),
        Command::Stop { time, ids } => {
            stop::stop(&ids, time, &state::directory(cli.root)?).map_err(Failure::of_a_look)
        }
    }
}
// ANCHOR_END: main
