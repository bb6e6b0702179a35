//! What an image says besides what it runs: ports, volumes, labels, and a signal. Whoever runs it may say otherwise.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, anyhow, ensure};
use clap::Args;

use crate::container::notes::Notes;
use crate::failure::{in_quotes, shown, warn};
use crate::image::manifest::Settings;
use crate::kill;
use crate::network::exposed::Exposed;
use crate::rootfs::place;

/// As the user types it.
#[derive(Args)]
pub struct Overrides {
    /// Command to use instead of the image's entry point (an empty one removes it)
    #[arg(long, value_name = "COMMAND")]
    pub entrypoint: Option<String>,
    /// Signal with which to stop the container [default: the image's, or TERM]
    #[arg(long, value_name = "SIGNAL", value_parser = kill::Name, hide_possible_values = true)]
    pub stop_signal: Option<String>,
    /// Expose a port: PORT[-PORT][/udp]
    #[arg(long, value_name = "PORT")]
    pub expose: Vec<Exposed>,
    /// Publish each exposed port on a free host port
    #[arg(short = 'P', long)]
    pub publish_all: bool,
    /// Set a label on the container
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub label: Vec<String>,
}

impl Overrides {
    // ANCHOR: entrypoint
    /// Puts an entry point in the place of the image's own. Its arguments were for the old one.
    pub fn replace_entrypoint(&self, settings: &mut Settings) {
        if let Some(program) = self.entrypoint.clone() {
            settings.entrypoint = Some(vec![program]);
            settings.cmd = None;
        }
    }
    // ANCHOR_END: entrypoint

    /// What a container's record keeps of them. Call it after [`replace_entrypoint`](Self::replace_entrypoint).
    pub fn notes(&self, settings: &Settings) -> Result<Notes> {
        Ok(Notes {
            entrypoint: settings.entrypoint().len(),
            exposed: self.exposed(settings),
            labels: self.labels(settings)?,
            stop_signal: self.signal(settings)?,
        })
    }

    fn signal(&self, settings: &Settings) -> Result<Option<String>> {
        let given = |signal: &&String| !signal.is_empty();
        if let Some(own) = self.stop_signal.as_ref().filter(given) {
            return kill::named(own).map(|_| Some(own.clone()));
        }
        match settings.stop_signal.as_ref().filter(given) {
            // As in Docker, that is no reason not to run it.
            Some(other) if kill::named(other).is_err() => {
                let other = shown(other);
                warn(&anyhow!(
                    "the image's stop signal does not exist: {other}: TERM takes its place"
                ));
                Ok(None)
            }
            said => Ok(said.cloned()),
        }
    }

    /// The image's labels, and the user's.
    fn labels(&self, settings: &Settings) -> Result<BTreeMap<String, String>> {
        let mut labels = settings.labels.clone().unwrap_or_default();
        for label in &self.label {
            let (name, value) = label.split_once('=').unwrap_or((label, ""));
            ensure!(
                !name.is_empty(),
                "{} is not a label\nhint: use -l NAME=VALUE",
                in_quotes(label)
            );
            labels.insert(name.to_owned(), value.to_owned());
        }
        Ok(labels)
    }

    // ANCHOR: exposed
    /// The ports on which the image's programs listen, and those that the user has added.
    fn exposed(&self, settings: &Settings) -> Vec<Exposed> {
        let mut exposed = self.expose.clone();
        for port in settings
            .exposed_ports
            .iter()
            .flatten()
            .map(|(port, _)| port)
        {
            match port.parse() {
                Ok(port) => exposed.push(port),
                // It could only be published.
                Err(_) if self.publish_all => warn(&anyhow!(
                    "cannot publish {}: it is not a TCP or UDP port",
                    shown(port)
                )),
                Err(_) => (),
            }
        }
        Exposed::merged(exposed)
    }
    // ANCHOR_END: exposed
}

impl Settings {
    /// The directories whose contents it wants to keep apart.
    pub fn volumes(&self) -> Result<Vec<PathBuf>> {
        let volumes = self.volumes.iter().flatten();
        let inside = |(volume, _): (&String, _)| {
            let path = match volume.contains(char::is_control) {
                true => Err("it contains a control character".to_owned()),
                false => place::inside(volume),
            };
            path.map_err(|reason| anyhow!("cannot use its volume {}: {reason}", shown(volume)))
        };
        volumes.map(inside).collect()
    }
}
