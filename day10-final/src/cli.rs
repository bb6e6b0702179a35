//! What the user can type. `main` acts on it.

pub mod completion;
pub mod confirm;
pub mod examples;
pub mod images;
pub mod instead;
pub mod run;
pub mod slip;
pub mod switches;
pub mod word;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::cgroup::limits::Limits;
use crate::command::environment::Variables;
use crate::command::workdir;
use crate::image::settings::besides::Overrides;
use crate::logs::tail::Lines;
use crate::network::Asked;
use crate::network::lookup::Lookup;
use crate::network::ports::Ports;
use crate::network::subnet::Subnet;
use crate::rootfs::volume::Volumes;
use crate::state::name;
use crate::{exec, kill, privileges, ps, stats};

const HOSTNAME: &str = "tiny-container";

/// A container runtime small enough to read
#[derive(Parser)]
#[command(
    name = "tiny-docker",
    bin_name = "tiny-docker",
    version,
    args_override_self = true,
    after_help = examples::ALL
)]
pub struct Cli {
    /// Directory for tiny-docker's state
    #[arg(long, global = true, value_name = "DIR")]
    #[arg(env = "TINY_DOCKER_ROOT", hide_env_values = true)]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub root: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)] // Only the options of the command that is typed are put together.
pub enum Command {
    /// Run a command in a new container
    Run(Box<RunOptions>),
    /// Run a command in a running container
    #[command(after_help = examples::EXEC)]
    Exec(Box<exec::Options>),
    /// List containers
    #[command(after_help = examples::PS)]
    Ps(ps::Options),
    /// Display detailed information on containers and images, as JSON
    #[command(after_help = examples::INSPECT)]
    Inspect(images::Inspect),
    /// Display a live stream of containers' resource usage
    #[command(after_help = examples::STATS)]
    Stats(stats::Options),
    /// Fetch the logs of a container
    #[command(after_help = examples::LOGS)]
    Logs {
        /// Follow log output
        #[arg(short, long)]
        follow: bool,
        /// Number of lines to show from the end of the logs
        #[arg(
            short = 'n',
            long,
            value_name = "N",
            default_value = "all",
            hide_default_value = true,
            allow_negative_numbers = true
        )]
        tail: Lines,
        /// The container's name or id, or a unique prefix of the id
        id: String,
    },
    /// Stop a container
    #[command(after_help = examples::STOP)]
    Stop {
        /// Signal to send [default: the container's, or TERM]
        #[arg(short, long, value_name = "SIGNAL", value_parser = kill::Name, hide_possible_values = true)]
        signal: Option<String>,
        /// Seconds to wait before killing the container (-1: as long as it takes)
        #[arg(
            short,
            long,
            alias = "timeout",
            value_name = "SECONDS",
            default_value_t = 10,
            allow_negative_numbers = true
        )]
        time: i64,
        /// The containers' names or ids, or unique prefixes of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Remove containers, and everything they have written
    #[command(after_help = examples::RM)]
    Rm {
        /// Force the removal of a running container (uses SIGKILL)
        #[arg(short, long)]
        force: bool,
        /// Accepted because Docker has it: here, no anonymous volume could be left
        #[arg(short, long, hide = true)]
        volumes: bool,
        /// The containers' names or ids, or unique prefixes of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    #[command(flatten)]
    Images(Box<images::Command>),
    /// Send a signal to running containers
    #[command(after_help = examples::KILL)]
    Kill {
        /// Signal to send, by name or number
        #[arg(
            short,
            long,
            value_name = "SIGNAL",
            default_value = "KILL",
            value_parser = kill::Name,
            hide_possible_values = true
        )]
        signal: String,
        /// The containers' names or ids, or unique prefixes of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Block until containers stop, then print their exit codes
    #[command(after_help = examples::WAIT)]
    Wait {
        /// The containers' names or ids, or unique prefixes of the ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Remove all stopped containers, and everything else that is unused
    #[command(after_help = examples::PRUNE)]
    Prune(images::Prune),
    /// Show which features this host supports, and how to enable the others
    #[command(after_help = examples::INFO)]
    Info,
    /// Print a completion script for your shell
    #[command(after_help = examples::COMPLETION)]
    Completion { shell: Shell },
}

/// Run a command in a new container
#[derive(Args)]
#[command(after_help = examples::RUN, disable_help_flag = true, args = switches::anyway())]
pub struct RunOptions {
    /// Run the container in the background and print its id
    #[arg(short, long)]
    pub detach: bool,
    /// Assign a name to the container [default: a random one]
    #[arg(long, value_name = "NAME", value_parser = given_name)]
    pub name: Option<String>,
    /// Automatically remove the container when it exits
    #[arg(long)]
    pub rm: bool,
    /// Run an init inside the container that forwards signals and reaps processes
    #[arg(long)]
    pub init: bool,
    /// Keep stdin open, even in the background
    #[arg(short, long)]
    pub interactive: bool,
    /// Allocate a pseudo-TTY
    #[arg(short, long)]
    pub tty: bool,
    /// Hostname inside the container
    #[arg(
        short = 'h',
        long,
        value_name = "NAME",
        value_parser = hostname,
        default_value = HOSTNAME
    )]
    pub hostname: String,
    /// Working directory inside the container (created if it does not exist)
    #[arg(short, long, value_name = "DIR", value_parser = workdir::check)]
    pub workdir: Option<PathBuf>,
    #[command(flatten)]
    pub environment: Variables,
    /// Network mode: bridge, isolated (alias none) or host [default: bridge for root, isolated for others]
    #[arg(long, alias = "network", value_enum, hide_possible_values = true)]
    pub net: Option<Asked>,
    /// Subnet for --net bridge
    #[arg(
        long,
        value_name = "NETWORK",
        env = "TINY_DOCKER_SUBNET",
        hide_env_values = true,
        default_value_t
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
    /// Directory to use as the root filesystem [default: one built from this machine's programs]
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    #[command(flatten)]
    pub pulling: word::Pulling,
    #[command(flatten)]
    pub overrides: Overrides,
    /// Print help (-h sets the hostname, as in Docker)
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
    /// An image and, if it is not the image's own, the command; or only a command, in the default root filesystem
    #[arg(required = true, trailing_var_arg = true, value_name = "IMAGE|COMMAND")]
    pub command: Vec<String>,
}

/// If it is empty, the name will be a random one.
fn given_name(name: &str) -> Result<String, String> {
    match name {
        "" => Ok(String::new()),
        _ => name::check(name),
    }
}

/// Linux allows 64 bytes: sethostname(2). Later days also write them to files such as /etc/hosts.
fn hostname(name: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match name.len() {
        // As in Docker, an empty value is as good as none. A script may pass an empty variable.
        0 => Ok(HOSTNAME.to_owned()),
        65.. => Err(format!("it has {} characters; the limit is 64", name.len())),
        _ if name.chars().all(legal) => Ok(name.to_owned()),
        _ => Err("only letters, digits, '-', '.' and '_' are allowed".to_owned()),
    }
}
