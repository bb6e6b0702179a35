//! tiny-docker: a container runtime small enough to read. This file knows the commands, and leaves the work to them.

mod cgroup;
mod child;
mod cli;
mod command;
mod container;
mod detach;
mod exec;
mod failure;
mod host;
mod image;
mod info;
mod inspect;
mod kill;
mod logs;
mod namespaces;
mod network;
mod oci;
mod parent;
mod privileges;
mod prune;
mod ps;
mod rm;
mod rootfs;
mod signals;
mod state;
mod stats;
mod stop;
mod terminal;
mod wait;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result as Anyhow, anyhow};
use clap::{CommandFactory, FromArgMatches, Parser};
use cli::images;
use cli::images::archives::{Load, Save};
use cli::{Cli, Command};
use failure::Failure;
use image::archive::{export, import, load, save};
use image::registry;
use image::{keep, pull};

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("tiny-docker needs Linux: build it there, on x86_64 or aarch64");

fn main() -> ExitCode {
    signals::expect_children();
    if oci::is_called() {
        return oci::main();
    }
    // The container's side of `run` and `exec` gets its orders through a socket, and not from a command line.
    let role = env::args_os().nth(1);
    let outcome = match role.as_ref().and_then(|role| role.to_str()) {
        Some("child") => child::main(),
        Some("guest") => exec::guest::main(),
        _ => parse().and_then(dispatch),
    };
    outcome.unwrap_or_else(|failure| failure.report()).into()
}

/// If the command line is wrong, clap says why, unless Docker would have understood it: then we say what to type
/// instead.
fn parse() -> Result<Cli, Failure> {
    let parsed = Cli::try_parse().or_else(|error| match cli::switches::may_have_value(&error) {
        true => {
            let command = cli::switches::with_values(Cli::command());
            Cli::from_arg_matches(&command.try_get_matches()?)
        }
        false => Err(error),
    });
    parsed.map_err(|error| match cli::instead::find(&error) {
        Some(reason) => Failure {
            code: cli::slip::code(&error),
            reason: anyhow!(reason),
        },
        None => cli::slip::end(error),
    })
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let state = || state::directory(cli.root);
    let outcome = match cli.command {
        Command::Run(mut options) if options.detach => {
            options.environment.read_files()?;
            let state = state()?;
            options.pull_now(&state)?;
            let keep_stdin = options.interactive && !options.tty;
            return detach::run(keep_stdin, |caller| {
                parent::run(*options, &state, Some(caller))
            });
        }
        Command::Run(options) => return parent::run(*options, &state()?, None),
        Command::Exec(mut options) if options.detach => {
            options.environment.read_files()?;
            let state = state()?;
            return detach::run(false, |caller| exec::run(*options, &state, Some(caller)));
        }
        Command::Exec(options) => return exec::run(*options, &state()?, None),
        Command::Ps(options) => ps::print(&options, &state()?),
        Command::Inspect(options) => inspect::inspect(&options, &state()?),
        Command::Stats(options) => stats::print(&options, &state()?),
        Command::Logs { follow, tail, id } => logs::print(&id, follow, tail, &state()?),
        Command::Rm { force, ids, .. } => rm::remove(&ids, force, &state()?),
        Command::Images(command) => on_images(*command, state),
        Command::Kill { signal, ids } => kill::kill(&ids, &signal, &state()?),
        Command::Wait { ids } => wait::wait(&ids, &state()?),
        Command::Prune(options) => prune::prune(&options, &state()?),
        Command::Completion { shell } => cli::completion::print(shell),
        Command::Info => info::print(&state()?),
        Command::Stop { signal, time, ids } => stop::stop(&ids, signal.as_deref(), time, &state()?),
    };
    // `run` and `exec` have exit codes of their own. Docker's other commands share one.
    outcome.map_err(Failure::ordinary)
}

/// The commands for images. To log in, no state is needed.
fn on_images(command: images::Command, state: impl FnOnce() -> Anyhow<PathBuf>) -> Anyhow<u8> {
    use images::{Command, Either, Image, System};
    match command {
        Command::Either(command) | Command::Image(Image::Either(command)) => {
            let state = state()?;
            match command {
                Either::Pull(options) => pull::pull(&options.name, options.quiet, &state),
                Either::Tag(options) => keep::tag::tag(&options.source, &options.target, &state),
                Either::History(options) => keep::history::history(&options, &state),
                Either::Load(Load { input, quiet }) => load::load(input.as_deref(), quiet, &state),
                Either::Save(Save { output, images }) => {
                    save::save(&images, output.as_deref(), &state)
                }
                Either::Import(options) => import::import(&options, &state),
            }
        }
        Command::Images(options) | Command::Image(Image::Ls(options)) => {
            keep::list::list(&options, &state()?)
        }
        Command::Rmi(options) | Command::Image(Image::Rm(options)) => {
            keep::remove::remove(&options, &state()?)
        }
        Command::Image(Image::Inspect { images }) => {
            let kind = Some(images::Kind::Image);
            inspect::inspect(&images::Inspect { kind, ids: images }, &state()?)
        }
        Command::Image(Image::Prune(options)) => keep::prune::prune(&options, &state()?),
        Command::Export { output, id } => export::export(&id, output.as_deref(), &state()?),
        Command::Login(options) => registry::login(&options),
        Command::Logout { server } => registry::logout(server.as_deref()),
        Command::System(System::Df(options)) => keep::usage::disk_usage(&options, &state()?),
        Command::System(System::Prune(options)) => prune::prune(&options, &state()?),
        Command::System(System::Info) => info::print(&state()?),
    }
}
