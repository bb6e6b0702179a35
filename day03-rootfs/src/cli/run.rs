//! From what was typed after `run` to the container that it describes. For `parent`.

use std::path::{self, Path};

use anyhow::{Context, Result};

use crate::cli::RunOptions;
use crate::container::Container;
use crate::rootfs;

impl RunOptions {
    /// The container that the user asked for.
    pub fn container(self, state: &Path) -> Result<Container> {
        let rootfs = match self.rootfs {
            Some(directory) => path::absolute(directory).context("cannot use that --rootfs")?,
            None => rootfs::default::find(state)?,
        };
        Ok(Container {
            rootfs,
            hostname: self.hostname,
            command: self.command,
        })
    }
}
