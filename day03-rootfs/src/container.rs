//! What a container is: the one description that the parent and the child share.

use std::path::{self, Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cli::RunOptions;
use crate::rootfs;

// ANCHOR: container
#[derive(Serialize, Deserialize)]
pub struct Container {
    pub hostname: String,
    /// The directory that becomes its `/`.
    pub rootfs: PathBuf,
    /// The program and its arguments.
    pub command: Vec<String>,
}
// ANCHOR_END: container

impl Container {
    /// The container that the user has asked for.
    pub fn new(options: RunOptions, state: &Path) -> Result<Self> {
        let rootfs = match options.rootfs {
            Some(directory) => path::absolute(directory).context("cannot use that --rootfs")?,
            None => rootfs::default::find(state)?,
        };
        Ok(Self {
            rootfs,
            hostname: options.hostname,
            command: options.command,
        })
    }
}
