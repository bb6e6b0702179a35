//! A layer that is being unpacked: images/layers/.HEX, locked, until it is complete.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::failure::warn;
use crate::image::digest::Digest;
use crate::image::store::{Store, is_at};
use crate::namespaces::idmap;
use crate::state::open_directory;

pub struct Unfinished {
    /// An empty directory, to unpack into.
    pub directory: PathBuf,
    layer: PathBuf,
    kept: bool,
    lock: Arc<File>,
}

impl Store {
    /// A layer to unpack: waits for whoever is unpacking it already. None if it is there by then.
    pub fn begin_layer(&self, chain: &Digest) -> Result<Option<Unfinished>> {
        let layers = self.directory.join("layers");
        let directory = layers.join(format!(".{}", chain.hex()));
        let cannot = || format!("cannot create {}", directory.display());
        while self.layer(chain).is_none() {
            let is_new = match fs::create_dir(&directory) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
                created => created.map(|()| true).with_context(cannot)?,
            };
            let Ok(lock) = open_directory(&directory) else {
                // Whoever had locked it was faster.
                continue;
            };
            self.wait_for(&lock, &directory)?;
            if !is_at(&lock, &directory) {
                continue;
            }
            if !is_new || self.layer(chain).is_some() {
                // A killed process has left it, or somebody has completed the layer just before we created it.
                idmap::remove(&directory)?;
                continue;
            }
            fs::set_permissions(&directory, Permissions::from_mode(0o755)).with_context(cannot)?;
            return Ok(Some(Unfinished {
                layer: layers.join(chain.hex()),
                directory,
                kept: false,
                lock: Arc::new(lock),
            }));
        }
        Ok(None)
    }

    /// What an image without layers has instead, since overlayfs wants something below. It stays as long as a container
    /// needs it.
    pub fn empty_layer(&self) -> Result<Digest> {
        let chain = Digest::of(b"");
        if let Some(unfinished) = self.begin_layer(&chain)? {
            unfinished.keep()?;
        }
        Ok(chain)
    }
}

impl Unfinished {
    /// The directory, open and locked.
    pub fn open(&self) -> Arc<File> {
        Arc::clone(&self.lock)
    }

    /// It is complete and synced: it gets its name.
    pub fn keep(mut self) -> Result<()> {
        fs::rename(&self.directory, &self.layer)
            .with_context(|| format!("cannot rename {}", self.directory.display()))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    /// Unless it was kept, it is removed.
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = idmap::remove(&self.directory)
        {
            warn(&error);
        }
    }
}
