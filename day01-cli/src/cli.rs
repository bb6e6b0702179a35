//! What the user can type. `main` acts on it.

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
    /// Run a command
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
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}
