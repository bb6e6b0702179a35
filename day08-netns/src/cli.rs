//! What the user can type. `main` acts on it.

pub mod run;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::cgroup::limits::Limits;
use crate::network::Net;

/// A container runtime small enough to read
#[derive(Parser)]
#[command(name = "tiny-docker", bin_name = "tiny-docker", version)]
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
pub enum Command {
    /// Run a command in a new container
    Run(RunOptions),
    /// List containers
    Ps {
        /// Show all containers (default shows just running)
        #[arg(short, long)]
        all: bool,
    },
    /// Fetch the logs of a container
    Logs {
        /// Follow log output
        #[arg(short, long)]
        follow: bool,
        /// The container's id, or a unique prefix of it
        id: String,
    },
    /// Stop a container
    Stop {
        /// Seconds to wait before killing the container
        #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
        time: u32,
        /// The containers' ids, or unique prefixes of them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

#[derive(Args)]
pub struct RunOptions {
    /// Run the container in the background and print its id
    #[arg(short, long)]
    pub detach: bool,
    /// Run an init inside the container that forwards signals and reaps processes
    #[arg(long)]
    pub init: bool,
    /// Hostname inside the container
    #[arg(long, value_name = "NAME", value_parser = hostname, default_value = "tiny-container")]
    pub hostname: String,
    /// Network mode: isolated (alias none) or host
    #[arg(
        long,
        alias = "network",
        value_enum,
        default_value = "isolated",
        hide_possible_values = true
    )]
    pub net: Net,
    #[command(flatten)]
    pub limits: Limits,
    /// Directory to use as the root filesystem [default: one built from this machine's programs]
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}

/// Linux allows 64 bytes: sethostname(2). Later days also write them to files such as /etc/hosts.
fn hostname(name: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match name.len() {
        0 => Err("it is empty".to_owned()),
        65.. => Err(format!("it has {} characters; the limit is 64", name.len())),
        _ if name.chars().all(legal) => Ok(name.to_owned()),
        _ => Err("only letters, digits, '-', '.' and '_' are allowed".to_owned()),
    }
}
