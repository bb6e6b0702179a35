//! From what was typed after `run` to the container that it describes. For `parent`.

use std::path::{self, Path};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::cli::RunOptions;
use crate::container::{Container, Status};
use crate::rootfs;
use crate::state::id::Id;

impl RunOptions {
    /// The container that the user asked for.
    pub fn container(self, state: &Path) -> Result<Container> {
        let rootfs = match self.rootfs {
            Some(directory) => path::absolute(directory).context("cannot use that --rootfs")?,
            None => rootfs::default::find(state)?,
        };
        Ok(Container {
            id: Id::new()?,
            rootfs,
            hostname: self.hostname,
            command: self.command,
            status: Status::Created,
            created_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            process: None,
            exit_code: None,
        })
    }
}
