//! What the user can type.

pub mod completion;
pub mod examples;
pub mod instead;
pub mod run;
pub mod slip;
pub mod switches;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::cgroup::limits::Limits;
use crate::command::environment::Variables;
use crate::command::workdir;
use crate::logs::tail::Lines;
use crate::network::Net;
use crate::network::lookup::Lookup;
use crate::network::ports::Ports;
use crate::network::subnet::Subnet;
use crate::rootfs::volume::Volumes;
use crate::state::name;
use crate::{exec, privileges, ps, stats};

/// A container runtime that is small enough to read
#[derive(Parser)]
#[command(
    name = "tiny-docker",
    bin_name = "tiny-docker",
    version,
    args_override_self = true,
    after_help = examples::ALL
)]
pub struct Cli {
    /// Where tiny-docker keeps its files
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "TINY_DOCKER_ROOT",
        hide_env_values = true
    )]
    pub root: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a command in a new container
    #[command(after_help = examples::RUN, disable_help_flag = true)]
    Run(Box<RunOptions>),
    /// Run a command more in a container that runs
    #[command(after_help = examples::EXEC)]
    Exec(Box<exec::Options>),
    /// List containers
    #[command(after_help = examples::PS)]
    Ps(ps::Options),
    /// Show all that is known about containers, as JSON
    #[command(after_help = examples::INSPECT)]
    Inspect {
        /// The containers' names or ids, or the beginnings of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Show what containers use
    #[command(after_help = examples::STATS)]
    Stats(stats::Options),
    /// Show what a container has printed
    #[command(after_help = examples::LOGS)]
    Logs {
        /// Go on until the container ends
        #[arg(short, long)]
        follow: bool,
        /// Only the last N lines
        #[arg(
            short = 'n',
            long,
            value_name = "N",
            default_value = "all",
            hide_default_value = true
        )]
        tail: Lines,
        /// The container's name or id, or the beginning of the id
        id: String,
    },
    /// Stop a container
    #[command(after_help = examples::STOP)]
    Stop {
        /// How long to wait before killing it
        #[arg(
            short,
            long,
            alias = "timeout",
            value_name = "SECONDS",
            default_value_t = 10
        )]
        time: u32,
        /// The containers' names or ids, or the beginnings of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Remove a container, and what it has written
    #[command(after_help = examples::RM)]
    Rm {
        /// Kill it, if it is running
        #[arg(short, long)]
        force: bool,
        /// Docker's for volumes that have no name: here there are none that could stay
        #[arg(short, long, hide = true)]
        volumes: bool,
        /// The containers' names or ids, or the beginnings of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Send a signal to a container
    #[command(after_help = examples::KILL)]
    Kill {
        /// By its name or number
        #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
        signal: String,
        /// The containers' names or ids, or the beginnings of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Wait until containers have ended, and print their exit codes
    #[command(after_help = examples::WAIT)]
    Wait {
        /// The containers' names or ids, or the beginnings of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Remove all containers that have ended, and what else nobody needs
    #[command(after_help = examples::PRUNE)]
    Prune {
        /// Do not ask
        #[arg(short, long)]
        force: bool,
    },
    /// Show what this host lets tiny-docker do, and what to do about the rest
    #[command(after_help = examples::INFO)]
    Info,
    /// Print a script by which your shell completes what you type
    #[command(after_help = examples::COMPLETION)]
    Completion { shell: Shell },
}

#[derive(Args)]
pub struct RunOptions {
    /// Run in the background, and print the container's id
    #[arg(short, long)]
    pub detach: bool,
    /// What to call it [default: one that is drawn]
    #[arg(long, value_name = "NAME", value_parser = name::check)]
    pub name: Option<String>,
    /// Remove it when it has ended
    #[arg(long)]
    pub rm: bool,
    /// Run a small PID 1 that passes signals on to the command, and reaps its orphans
    #[arg(long)]
    pub init: bool,
    /// Keep stdin open, in the background too
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it a terminal of its own
    #[arg(short, long)]
    pub tty: bool,
    /// Hostname inside the container
    #[arg(
        short = 'h',
        long,
        value_name = "NAME",
        value_parser = hostname,
        default_value = "tiny-container"
    )]
    pub hostname: String,
    /// Where in the container the command begins; it is made, if it is not there
    #[arg(short, long, value_name = "DIR", value_parser = workdir::check)]
    pub workdir: Option<PathBuf>,
    #[command(flatten)]
    pub environment: Variables,
    /// What it sees of the network: bridge, isolated (also called none) or host [default: bridge for root]
    #[arg(long, alias = "network", value_enum, hide_possible_values = true)]
    pub net: Option<Net>,
    /// The addresses for --net bridge
    #[arg(
        long,
        value_name = "NETWORK",
        env = "TINY_DOCKER_SUBNET",
        hide_env_values = true,
        default_value = "10.10.0.0/24"
    )]
    pub subnet: Subnet,
    #[command(flatten)]
    pub ports: Ports,
    #[command(flatten)]
    pub lookup: Lookup,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub volumes: Volumes,
    #[command(flatten)]
    pub privileges: privileges::Options,
    /// The directory that becomes the container's / [default: made of this machine's programs]
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    /// Print help: -h is the hostname, as in Docker
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}

/// Linux allows 64 bytes: sethostname(2). What is in them, later days write to files such as /etc/hosts.
fn hostname(name: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match name.len() {
        0 => Err("it is empty".to_owned()),
        65.. => Err(format!(
            "it has {} characters, and 64 are allowed",
            name.len()
        )),
        _ if !name.chars().all(legal) => {
            Err("only letters, digits, '-', '.' and '_' are allowed".to_owned())
        }
        _ => Ok(name.to_owned()),
    }
}
