//! All images: an OCI image layout in images/ in the state directory, and beside it each layer, unpacked.
//!
//! images/oci-layout, index.json, blobs/sha256/HEX     as in the image specification, image-layout.md
//! images/layers/CHAIN-HEX/                            a layer, unpacked, as overlayfs wants it
//! images/sizes/HEX                                    how large that is
//! images/partial/HEX                                  what is being fetched, locked by whoever fetches it
//! images/lock                                         shared by whoever uses images, exclusive for whoever removes
//!
//! What has its name is complete. In this room, [`index`] knows the images, [`blob`] and [`unfinished`] are what is not
//! complete yet, [`spool`] what has no name yet, and [`collect`] removes what is not [`needed`].

pub mod blob;
pub mod collect;
pub mod images;
pub mod index;
mod needed;
pub mod spool;
pub mod unfinished;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};

use crate::image::digest::Digest;
use crate::image::manifest::{Config, Descriptor, Manifest};
use crate::image::name::Name;
use crate::state::store::{LOCK_SECONDS, lock_directory};
use crate::state::{create_private, lock, open_regular};

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// How deeply an index may be inside another one.
pub const NESTED: usize = 4;

/// How long, in seconds, to wait for another pull that does not get on.
const PATIENCE: u64 = 600;

/// While it exists, nothing that it has shown goes away: it shares the lock.
pub struct Store {
    pub directory: PathBuf,
    lock: File,
}

/// An image in the store.
#[derive(Clone)]
pub struct Image {
    /// None if nobody has named it: Docker's <none>, "dangling".
    pub name: Option<Name>,
    /// Of its manifest, or of an index that has it.
    pub descriptor: Descriptor,
}

/// An image with everything that its manifest leads to.
pub struct Whole {
    pub image: Image,
    /// From what the image's descriptor describes to its manifest: perhaps there are indexes on the way.
    pub documents: Vec<Descriptor>,
    pub manifest: Manifest,
    pub config: Config,
}

impl Store {
    /// Creates it if need be (see [`crate::state::create_private`]).
    pub fn open(state: &Path) -> Result<Self> {
        loop {
            let directory = create_private(state, "images")?;
            let Some(store) = Self::share(directory, LOCK_SECONDS)? else {
                continue;
            };
            let prepare = || -> Result<()> {
                for part in ["blobs/sha256", "layers", "partial"] {
                    fs::create_dir_all(store.directory.join(part))?;
                }
                if !store.directory.join("oci-layout").exists() {
                    let _changing = lock_directory(&store.directory)?;
                    index::replace(&store.directory, "oci-layout", LAYOUT)?;
                }
                Ok(())
            };
            prepare().with_context(|| format!("cannot prepare {}", store.directory.display()))?;
            return Ok(store);
        }
    }

    /// None if there are no images, so that commands which only look create nothing.
    pub fn existing(state: &Path) -> Result<Option<Self>> {
        let directory = state.join("images");
        while directory.exists() {
            if let Some(store) = Self::share(directory.clone(), LOCK_SECONDS)? {
                return Ok(Some(store));
            }
        }
        Ok(None)
    }

    /// The same for commands that must not wait. It fails if somebody is removing images right now.
    pub fn glance(state: &Path) -> Result<Option<Self>> {
        let directory = state.join("images");
        match directory.exists() {
            true => Self::share(directory, 0),
            false => Ok(None),
        }
    }

    /// The same for whoever removes something: None also if somebody else is using the images right now.
    pub fn alone(state: &Path) -> Result<Option<Self>> {
        let store = Self::existing(state)?;
        Ok(store.filter(|store| store.lock.try_lock().is_ok()))
    }

    /// None if it has just been removed, because it was empty.
    fn share(directory: PathBuf, seconds: u64) -> Result<Option<Self>> {
        let path = directory.join("lock");
        let mut options = File::options();
        options.create(true).write(true).truncate(false).mode(0o600);
        let lock = match open_regular(&path, &mut options) {
            Err(_) if !directory.exists() => return Ok(None),
            lock => lock.with_context(|| format!("cannot open {}", path.display()))?,
        };
        lock::wait(&lock, &path, File::try_lock_shared, seconds)?;
        Ok(is_at(&lock, &path).then_some(Self { directory, lock }))
    }

    /// The directory of an unpacked layer, if it is complete.
    pub fn layer(&self, chain: &Digest) -> Option<PathBuf> {
        let directory = self.directory.join("layers").join(chain.hex());
        directory.is_dir().then_some(directory)
    }

    /// Everything that has been written is on the disk before the next rename: syncfs(2).
    pub fn sync(&self) -> Result<()> {
        nix::unistd::syncfs(&self.lock).context("cannot write to the disk")
    }

    /// Tells those who wait for this process that it gets on.
    pub fn beat(&self) {
        let _ = self.lock.set_modified(SystemTime::now());
    }

    /// Locks `file`, which others have open as `path`, too. As long as pulls get on, that may take its time.
    fn wait_for(&self, file: &File, path: &Path) -> Result<()> {
        let beat = || self.lock.metadata().and_then(|lock| lock.modified()).ok();
        loop {
            let (before, start) = (beat(), Instant::now());
            let locked = lock::wait(file, path, File::try_lock, PATIENCE);
            let is_over = start.elapsed() < Duration::from_secs(PATIENCE) || beat() == before;
            if locked.is_ok() || is_over {
                return locked;
            }
        }
    }
}

/// Whether `path` still leads to `file`: whoever had locked it may have renamed or removed it.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    let there = fs::symlink_metadata(path).map(id);
    there.is_ok_and(|there| file.metadata().map(id).is_ok_and(|ours| ours == there))
}
