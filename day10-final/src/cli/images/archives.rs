//! The commands for images in archives.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub struct Save {
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
}
