//! A layer that is being unpacked: images/layers/.HEX, locked, until it is complete.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::failure::warn;
use crate::image::digest::Digest;
use crate::image::store::{Store, is_at};
use crate::namespaces::idmap;
use crate::state::{open_directory, open_regular};

/// Where nobody looks for a layer: it is being unpacked, or removed. One process at a time has this place.
pub struct Hidden {
    pub directory: PathBuf,
    /// What is locked is a file beside it: an image may close its / to everybody, even to the layer's owner.
    path: PathBuf,
    _lock: File,
}

impl Hidden {
    /// None: whoever had locked it was faster.
    pub fn new(
        store: &Store,
        chain: &Digest,
        lock: impl FnOnce(&File, &Path) -> Result<()>,
    ) -> Result<Option<Self>> {
        let layers = store.directory.join("layers");
        let path = layers.join(format!(".{}.lock", chain.hex()));
        let mut options = File::options();
        options.create(true).write(true).truncate(false).mode(0o600);
        let file = open_regular(&path, &mut options)
            .with_context(|| format!("cannot open {}", path.display()))?;
        lock(&file, &path)?;
        Ok(is_at(&file, &path).then(|| Self {
            directory: layers.join(format!(".{}", chain.hex())),
            path,
            _lock: file,
        }))
    }

    /// Removes what is there, perhaps left by a killed process.
    pub fn clear(&self) -> Result<()> {
        match self.directory.exists() {
            true => idmap::remove(&self.directory),
            false => Ok(()),
        }
    }
}

impl Drop for Hidden {
    /// Whoever is waiting for the lock notices that the file is gone.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

pub struct Unfinished {
    /// An empty directory, to unpack into.
    pub directory: PathBuf,
    layer: PathBuf,
    kept: bool,
    open: Arc<File>,
    hidden: Hidden,
}

impl Store {
    /// A layer to unpack: waits for whoever is unpacking it already. None if it is there by then.
    pub fn begin_layer(&self, chain: &Digest) -> Result<Option<Unfinished>> {
        while self.layer(chain).is_none() {
            let lock = |file: &File, path: &Path| self.wait_for(file, path);
            let Some(hidden) = Hidden::new(self, chain, lock)? else {
                continue;
            };
            if self.layer(chain).is_some() {
                break;
            }
            hidden.clear()?;
            let directory = hidden.directory.clone();
            let cannot = || format!("cannot create {}", directory.display());
            fs::create_dir(&directory).with_context(cannot)?;
            fs::set_permissions(&directory, Permissions::from_mode(0o755)).with_context(cannot)?;
            let open = open_directory(&directory).with_context(cannot)?;
            return Ok(Some(Unfinished {
                layer: self.directory.join("layers").join(chain.hex()),
                directory,
                kept: false,
                open: Arc::new(open),
                hidden,
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
    /// The directory, open.
    pub fn open(&self) -> Arc<File> {
        Arc::clone(&self.open)
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
            && let Err(error) = self.hidden.clear()
        {
            warn(&error);
        }
    }
}
