//! The commands for images, as the user types them.

pub mod archives;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::examples;
use crate::cli::images::archives::{Import, Load, Save};
use crate::ps::table::Format;

/// They are commands like `run`. Their options are put together only when one of them is typed: `run` should not have to
/// wait for that.
#[derive(Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// List images
    #[command(after_help = examples::IMAGES)]
    Images(List),
    #[command(flatten)]
    Either(Either),
    /// Remove one or more images
    #[command(after_help = examples::RMI)]
    Rmi(Rmi),
    /// Export a container's filesystem as a tar archive
    #[command(after_help = examples::EXPORT)]
    Export {
        /// Write to a file instead of stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The container's name or id, or a unique prefix of the id
        id: String,
    },
    /// Log in to a registry
    #[command(after_help = examples::LOGIN)]
    Login(Login),
    /// Log out from a registry
    #[command(after_help = examples::LOGOUT)]
    Logout {
        /// The registry [default: Docker Hub]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
    /// Manage images
    #[command(subcommand, after_help = examples::IMAGE)]
    Image(Image),
    /// Manage everything that we keep
    #[command(subcommand, after_help = examples::SYSTEM)]
    System(System),
}

/// What is typed as `tiny-docker image …`.
#[derive(Subcommand)]
#[command(defer = true)]
pub enum Image {
    /// List images
    #[command(visible_alias = "list", after_help = examples::IMAGES)]
    Ls(List),
    #[command(flatten)]
    Either(Either),
    /// Remove one or more images
    #[command(alias = "remove", after_help = examples::RMI)]
    Rm(Rmi),
    /// Display detailed information on images, as JSON
    #[command(after_help = examples::INSPECT)]
    Inspect {
        /// The images' names or ids, or unique prefixes of the ids
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<String>,
    },
    /// Remove unused images
    #[command(after_help = examples::IMAGE_PRUNE)]
    Prune(Prune),
}

/// What is typed with `image` or without it.
#[derive(Subcommand)]
#[command(defer = true)]
pub enum Either {
    /// Download an image from a registry
    #[command(after_help = examples::PULL)]
    Pull(Pull),
    /// Create a tag that refers to an image
    #[command(after_help = examples::TAG)]
    Tag(Tag),
    /// Show the history of an image
    #[command(after_help = examples::HISTORY)]
    History(History),
    /// Load images from a tar archive
    #[command(after_help = examples::LOAD)]
    Load(Load),
    /// Save images to a tar archive
    #[command(after_help = examples::SAVE)]
    Save(Save),
    /// Create an image from a root filesystem in a tar archive
    #[command(after_help = examples::IMPORT)]
    Import(Import),
}

/// What is typed as `tiny-docker system …`.
#[derive(Subcommand)]
#[command(defer = true)]
pub enum System {
    /// Show disk usage
    #[command(after_help = examples::DF)]
    Df(Df),
    /// Remove all stopped containers, and everything else that is unused
    #[command(after_help = examples::PRUNE)]
    Prune(Prune),
    /// Show which features this host supports, and how to enable the others
    #[command(after_help = examples::INFO)]
    Info,
}

#[derive(Args)]
pub struct Pull {
    /// Suppress verbose output
    #[arg(short, long)]
    pub quiet: bool,
    /// The image's name
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub name: String,
}

#[derive(Args)]
pub struct List {
    /// Show all images (there are no hidden ones here)
    #[arg(short, long, hide = true)]
    pub all: bool,
    /// Show digests
    #[arg(long)]
    pub digests: bool,
    /// Do not truncate output
    #[arg(long)]
    pub no_trunc: bool,
    /// Only show image ids
    #[arg(short, long)]
    pub quiet: bool,
    /// Output format: table, or json (one object per line)
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        hide_default_value = true
    )]
    pub format: Format,
    /// Only images of this name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub name: Option<String>,
}

#[derive(Args)]
pub struct Rmi {
    /// Force the removal of the image
    #[arg(short, long)]
    pub force: bool,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
}

#[derive(Args)]
pub struct Tag {
    /// The image's name or id
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    pub source: String,
    /// The new name
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    pub target: String,
}

#[derive(Args)]
pub struct History {
    /// Do not truncate output
    #[arg(long)]
    pub no_trunc: bool,
    /// Only show image ids
    #[arg(short, long)]
    pub quiet: bool,
    /// The image's name or id
    #[arg(value_name = "IMAGE")]
    pub image: String,
}

#[derive(Args)]
pub struct Prune {
    /// Remove all images without a container, not just those without a name
    #[arg(short, long)]
    pub all: bool,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    pub force: bool,
}

#[derive(Args)]
pub struct Df {
    /// Show detailed information on space usage
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Args)]
pub struct Login {
    /// Username
    #[arg(short, long)]
    pub username: Option<String>,
    /// Password
    #[arg(short, long)]
    pub password: Option<String>,
    /// Take the password from stdin
    #[arg(long, requires = "username", conflicts_with = "password")]
    pub password_stdin: bool,
    /// The registry [default: Docker Hub]
    #[arg(value_name = "SERVER")]
    pub server: Option<String>,
}

/// When `run` asks the registry.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PullPolicy {
    Always,
    #[default]
    Missing,
    Never,
}

/// Display detailed information on containers and images, as JSON
#[derive(Args)]
pub struct Inspect {
    /// Only look for this type: container, or image
    #[arg(
        long = "type",
        value_name = "TYPE",
        value_enum,
        hide_possible_values = true
    )]
    pub kind: Option<Kind>,
    /// Names or ids, or unique prefixes of the ids
    #[arg(required = true, value_name = "NAME|ID")]
    pub ids: Vec<String>,
}

/// What has a name.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Kind {
    Container,
    Image,
}
