//! What the user can type. `main` acts on it.

pub mod run;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

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
    Stop { id: String },
}

#[derive(Args)]
pub struct RunOptions {
    /// Run the container in the background and print its id
    #[arg(short, long)]
    pub detach: bool,
    /// Hostname inside the container
    #[arg(long, value_name = "NAME", default_value = "tiny-container")]
    pub hostname: String,
    /// Directory to use as the root filesystem [default: one built from this machine's programs]
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}
