//! What the user can type.

pub mod run;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cgroup::limits::Limits;
use crate::network::Net;

/// A container runtime that is small enough to read
#[derive(Parser)]
#[command(name = "tiny-docker", bin_name = "tiny-docker", version)]
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
    Run(RunOptions),
    /// List containers
    Ps {
        /// Those that have ended, too
        #[arg(short, long)]
        all: bool,
    },
    /// Show what a container has printed
    Logs {
        /// Go on until the container ends
        #[arg(short, long)]
        follow: bool,
        /// The container's id, or the beginning of it
        id: String,
    },
    /// Stop a container
    Stop {
        /// How long to wait before killing it
        #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
        time: u32,
        /// The containers' ids, or the beginnings of them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

#[derive(Args)]
pub struct RunOptions {
    /// Run in the background, and print the container's id
    #[arg(short, long)]
    pub detach: bool,
    /// Run a small PID 1 that passes signals on to the command, and reaps its orphans
    #[arg(long)]
    pub init: bool,
    /// Hostname inside the container
    #[arg(long, value_name = "NAME", value_parser = hostname, default_value = "tiny-container")]
    pub hostname: String,
    /// What it sees of the network: bridge, isolated (also called none) or host [default: bridge for root]
    #[arg(long, alias = "network", value_enum, hide_possible_values = true)]
    pub net: Option<Net>,
    #[command(flatten)]
    pub limits: Limits,
    /// The directory that becomes the container's / [default: made of this machine's programs]
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
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
