//! What the first word after `run` means: a command, or an image. For `parent`, and for `main` if there is `-d`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};
use clap::Args;

use crate::cli::RunOptions;
use crate::cli::images::PullPolicy;
use crate::command::environment::{PATH, value};
use crate::failure::shown;
use crate::image::name::Name;
use crate::image::pull;
use crate::image::settings::Wanted;
use crate::image::store::{Image, Store};
use crate::rootfs::default;
use crate::rootfs::volume::Volume;

/// For those who have mistyped a command.
const BOTH: &str = "\nhint: run takes an image, or a program of the default root filesystem: tiny-docker run ls /bin \
    lists the programs";

#[derive(Args)]
pub struct Pulling {
    /// When to pull the image: always, missing (the default) or never
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_default_value = true
    )]
    #[arg(hide_possible_values = true)]
    pub pull: PullPolicy,
    /// Suppress the output of the pull
    #[arg(short, long)]
    pub quiet: bool,
}

impl RunOptions {
    // ANCHOR: image
    /// The image that the first word means, or None if it is a command. If need be, the image is pulled.
    ///
    /// Commands come before images that are not there yet: `run sh` does what it did before there were images.
    pub fn image(&mut self, state: &Path) -> Result<Option<Wanted>> {
        // Among the variables, there may be a PATH.
        self.environment.read_files()?;
        let word = &self.command[0];
        let must_be_image = self.pulling.pull == PullPolicy::Always;
        if self.rootfs.is_some() || word.starts_with(['/', '.']) && !must_be_image {
            return Ok(None);
        }
        if !must_be_image {
            let (store, is_program) = (Store::existing(state)?, self.is_program(state));
            let image = match &store {
                // Not by its id, which may look like a program: dd, for example.
                Some(store) if is_program => named(store, word)?,
                Some(store) => store.find(word)?,
                None => None,
            };
            match (store, image) {
                (Some(store), Some(image)) => return Wanted::new(word, image, store).map(Some),
                _ if is_program => return Ok(None),
                _ => (),
            }
        }
        let pulled = self.pulled(state).map(Some);
        pulled.map_err(|error| with_hint(error, word))
    }
    // ANCHOR_END: image

    /// Pulls the image in the foreground, where Ctrl-C ends it, if it has to be pulled.
    pub fn pull_now(&mut self, state: &Path) -> Result<()> {
        self.image(state)?;
        if self.pulling.pull == PullPolicy::Always {
            self.pulling.pull = PullPolicy::Missing;
        }
        Ok(())
    }

    fn pulled(&self, state: &Path) -> Result<Wanted> {
        let word = &self.command[0];
        let cannot = || format!("cannot run {}", shown(word));
        let name: Name = word.parse().with_context(cannot)?;
        match self.pulling.pull {
            PullPolicy::Never => bail!("{}: there is no image {name}", cannot()),
            PullPolicy::Always => (),
            PullPolicy::Missing => {
                let _ = writeln!(io::stderr(), "Unable to find image '{name}' locally");
            }
        }
        pull::for_run(&name, self.pulling.quiet, state)?;
        let store = Store::open(state)?;
        let image = store
            .find(word)?
            .with_context(|| format!("{}: it has been removed again", cannot()))?;
        Wanted::new(word, image, store)
    }

    /// Whether the first word is a program of the default root filesystem, or of a volume in it.
    fn is_program(&self, state: &Path) -> bool {
        let name = &self.command[0];
        if name.contains('/') {
            return false;
        }
        let path = value(&self.environment.env, "PATH").unwrap_or(PATH);
        let is_in = |volume: &Volume, directory: &str| {
            let place = Path::new(directory).join(name);
            let rest = place.strip_prefix(&volume.container);
            rest.is_ok_and(|rest| volume.host.iter().chain(rest).collect::<PathBuf>().exists())
        };
        let mut volumes = self.volumes.volumes.iter();
        default::has_program(state, name, path)
            || volumes.any(|volume| path.split(':').any(|directory| is_in(volume, directory)))
    }
}

/// The image with this name.
fn named(store: &Store, word: &str) -> Result<Option<Image>> {
    let Ok(name) = word.parse() else {
        return Ok(None);
    };
    let mut images = store.images()?.into_iter();
    Ok(images.find(|image| image.is_called(&name)))
}

/// An image's name in full cannot be a mistyped command.
fn with_hint(error: Error, word: &str) -> Error {
    let said = format!("{error:#}");
    match word.contains(['/', ':', '@']) || said.contains("\nhint: ") {
        true => error,
        false => anyhow!("{said}{BOTH}"),
    }
}
