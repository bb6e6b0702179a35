//! What an image says, where the user has said nothing. For [`RunOptions::container`].

use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::RunOptions;
use crate::container::notes::Notes;
use crate::failure::shown;
use crate::image::manifest::Settings;
use crate::image::settings::Wanted;

impl RunOptions {
    // ANCHOR: follow
    /// Completes the options by what the `image` says, and returns the rest of that. From now on, the command is what
    /// will be executed.
    pub fn follow(&mut self, image: Option<&Wanted>) -> Result<Notes> {
        let cannot = format!("cannot run {}", shown(&self.command[0]));
        let mut settings = Settings::default();
        if let Some(image) = image {
            settings = image.settings.clone();
            self.command.remove(0);
        }
        self.overrides.replace_entrypoint(&mut settings);
        self.take(&settings).context(cannot)
    }

    fn take(&mut self, settings: &Settings) -> Result<Notes> {
        settings.check()?;
        self.command = settings.command(&self.command)?;
        // In front, so that the command line has the last word.
        self.environment.env.splice(0..0, settings.environment());
        let user = self.privileges.user.take();
        self.privileges.user = user.filter(|user| !user.is_empty()).or(settings.user());
        let directory = self.workdir.take().filter(|path| path != Path::new(""));
        self.workdir = directory.or(settings.directory());
        self.volumes.own = settings.volumes()?;
        self.overrides.notes(settings)
    }
    // ANCHOR_END: follow
}
