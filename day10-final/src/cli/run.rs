//! From what was typed after `run` to the container that it describes. For `parent`.

mod image;

use std::path::{self, Path};

use anyhow::{Context, Result};
use serde_json::Map;

use crate::cli::RunOptions;
use crate::container::{Container, Status, now};
use crate::image::settings::Wanted;
use crate::network::Net;
use crate::network::exposed::Exposed;
use crate::rootfs;
use crate::state::id::Id;
use crate::state::paths;
use crate::terminal::pty;

impl RunOptions {
    /// The container that the user asked for.
    pub fn container(mut self, state: &Path, image: Option<&Wanted>) -> Result<Container> {
        let notes = self.follow(image)?;
        let rootfs = match (image, self.rootfs) {
            (Some(image), _) => image.rootfs.clone(),
            (None, Some(directory)) => {
                path::absolute(directory).context("cannot use that --rootfs")?
            }
            (None, None) => rootfs::default::find(state)?,
        };
        let id = Id::new()?;
        let net = Net::choose(self.net.and_then(|asked| asked.0))?;
        let has_etc = net != Net::Isolated || self.lookup.is_asked_for();
        let etc = has_etc.then(|| paths::etc(state, &id));
        let layer = paths::layer(state, &id);
        self.volumes.prepare()?;
        if self.overrides.publish_all {
            Exposed::publish(&notes.exposed, &mut self.ports);
        }
        let log = self.detach.then(|| paths::log(state, &id));
        Ok(Container {
            id,
            name: self.name.unwrap_or_default(),
            rootfs,
            hostname: self.hostname,
            command: self.command,
            status: Status::Created,
            created_at: now(),
            process: None,
            exit_code: None,
            finished_at: None,
            remove: self.rm,
            environment: self.environment.resolve()?,
            directory: self.workdir.filter(|directory| directory != Path::new("")),
            log,
            init: self.init,
            interactive: self.interactive,
            tty: self.tty,
            console: self.tty.then(pty::callers_size).flatten(),
            limits: self.limits,
            cgroup: Vec::new(),
            out_of_memory: false,
            net,
            etc,
            address: None,
            subnet: self.subnet,
            ports: self.ports,
            lookup: self.lookup,
            layer,
            volumes: self.volumes,
            image: image.map(|image| image.origin.clone()),
            notes,
            privileges: self.privileges.into(),
            unknown: Map::new(),
        })
    }
}
