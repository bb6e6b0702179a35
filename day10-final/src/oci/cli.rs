//! The command line of an OCI runtime. There is no standard for it: it is runc's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use nix::unistd::geteuid;

use crate::oci::VERSION;
use crate::oci::namespaces::in_user_namespace;
use crate::oci::store::Store;
use crate::oci::{commands, create, exec, log, rootless, spec};

/// Run containers from bundles, as the OCI runtime specification says
#[derive(Parser)]
#[command(
    name = "tiny-runc",
    disable_version_flag = true,
    args_override_self = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Global {
    /// Where the state of containers is kept
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Log errors to FILE, too
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log_format: log::Format,
    /// Log more
    #[arg(long)]
    debug: bool,
    /// Who makes cgroups
    #[arg(long, value_name = "MANAGER", value_enum, default_value = "cgroupfs")]
    cgroup_manager: Manager,
    /// As --cgroup-manager systemd
    #[arg(long)]
    systemd_cgroup: bool,
    /// Whether to go on where cgroups are not permitted: true, false or auto
    #[arg(long, value_name = "BOOL", default_value = "auto")]
    rootless: String,
    /// Print the version
    #[arg(short, long)]
    version: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Manager {
    Cgroupfs,
    Systemd,
}

/// What takes a container and nothing else.
#[derive(Args)]
struct Id {
    id: String,
}

#[derive(Subcommand)]
#[command(defer = true)] // Only the options of the command that is typed are put together.
enum Command {
    /// Create a container, and wait for `start`
    Create(Box<create::options::Options>),
    /// Start the command of a created container
    Start(Id),
    /// Create a container, and start its command
    Run(Box<commands::run::Run>),
    /// Print the state of a container
    State(Id),
    /// Send a signal to the first process of a container
    Kill(commands::Kill),
    /// Remove a container that has stopped
    Delete(commands::Delete),
    Exec(Box<exec::options::Options>),
    /// Freeze all processes of a container
    Pause(Id),
    /// Let them go on
    Resume(Id),
    /// Change the limits of a container
    Update(Box<commands::update::Options>),
    /// Print what a container uses, until it ends
    Events(commands::events::Options),
    /// List all containers
    List(commands::list::Options),
    /// List the processes of a container
    Ps(commands::ps::Options),
    /// Print what this runtime can do
    Features,
    /// Write a config.json to begin with
    Spec(spec::Options),
}

pub fn main() -> ExitCode {
    crate::signals::expect_children();
    let cli = Cli::parse();
    let is_exec = matches!(cli.command, Some(Command::Exec(_)));
    match run(cli) {
        Ok(code) => code.into(),
        Err(error) => {
            log::error(&error);
            // As runc: 1 would be the command's own.
            if is_exec { 255 } else { 1 }.into()
        }
    }
}

fn run(cli: Cli) -> Result<u8> {
    let global = cli.global;
    if global.version {
        let version = env!("CARGO_PKG_VERSION");
        let text = format!("tiny-runc version {version}\ncommit: v{version}\nspec: {VERSION}");
        return Ok(crate::failure::print(text));
    }
    log::open(global.log.as_deref(), global.log_format, global.debug)?;
    if global.systemd_cgroup || global.cgroup_manager == Manager::Systemd {
        bail!("--cgroup-manager systemd is not supported\nhint: use cgroupfs");
    }
    let rootless = match global.rootless.as_str() {
        "auto" => !geteuid().is_root() || in_user_namespace(),
        text => text
            .parse()
            .context("--rootless: expected true, false or auto")?,
    };
    rootless::set(rootless);
    // Not every command needs one.
    let store = || Store::open(global.root);
    let Some(command) = cli.command else {
        bail!("there is no command\nhint: tiny-runc --help lists them");
    };
    match command {
        Command::Create(options) => commands::create(&options, &store()?),
        Command::Start(Id { id }) => commands::start(&id, &store()?),
        Command::Run(options) => commands::run::run(&options, &store()?),
        Command::State(Id { id }) => commands::state(&id, &store()?),
        Command::Kill(options) => commands::kill(&options, &store()?),
        Command::Delete(options) => commands::delete(&options, &store()?),
        Command::Exec(options) => exec::exec(*options, &store()?),
        Command::Pause(Id { id }) => commands::pause(&id, &store()?),
        Command::Resume(Id { id }) => commands::resume(&id, &store()?),
        Command::Update(options) => commands::update::update(&options, &store()?),
        Command::Events(options) => commands::events::events(&options, &store()?),
        Command::List(options) => commands::list::list(&options, &store()?),
        Command::Ps(options) => commands::ps::ps(&options, &store()?),
        Command::Features => commands::features::print(),
        Command::Spec(options) => spec::write(&options),
    }
}
