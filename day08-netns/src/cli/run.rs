//! From what was typed after `run` to the container that it describes. For `parent`.

use std::path::{self, Path};
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::Map;

use crate::cli::RunOptions;
use crate::container::{Container, Status};
use crate::rootfs;
use crate::state::id::Id;
use crate::state::store;

impl RunOptions {
    /// The container that the user asked for.
    pub fn container(self, state: &Path) -> Result<Container> {
        let rootfs = match self.rootfs {
            Some(directory) => path::absolute(directory).context("cannot use that --rootfs")?,
            None => rootfs::default::find(state)?,
        };
        let id = Id::new()?;
        let etc = store::etc(state, &id);
        let log = self.detach.then(|| store::log(state, &id));
        Ok(Container {
            id,
            rootfs,
            hostname: self.hostname,
            command: self.command,
            status: Status::Created,
            created_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            process: None,
            exit_code: None,
            log,
            init: self.init,
            limits: self.limits,
            cgroup: Vec::new(),
            out_of_memory: false,
            net: self.net,
            etc,
            unknown: Map::new(),
        })
    }
}
