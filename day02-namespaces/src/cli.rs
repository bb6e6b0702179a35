//! What the user can type. `main` acts on it.

pub mod run;

use clap::{Args, Parser, Subcommand};

/// A container runtime small enough to read
#[derive(Parser)]
#[command(name = "tiny-docker", bin_name = "tiny-docker", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a command in a new container
    Run(RunOptions),
    /// List containers
    Ps,
    /// Fetch the logs of a container
    Logs { id: String },
    /// Stop a container
    Stop { id: String },
}

#[derive(Args)]
pub struct RunOptions {
    /// Hostname inside the container
    #[arg(long, value_name = "NAME", default_value = "tiny-container")]
    pub hostname: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}
