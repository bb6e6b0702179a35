//! A blob on its way into the store: images/partial/HEX, locked, until all of it is there.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Error, Result, anyhow, ensure};

use crate::image::digest::Digest;
use crate::image::manifest::{Descriptor, MOST};
use crate::image::store::{Store, is_at};
use crate::state::open_regular;

/// What has been fetched so far, perhaps by somebody who was killed.
pub struct Partial {
    /// Open for reading and writing, and locked.
    pub file: File,
    /// How many bytes are there already.
    pub have: u64,
    path: PathBuf,
    blob: PathBuf,
}

impl Partial {
    // ANCHOR: begin
    /// See [`Store::begin_blob`].
    pub fn begin(store: &Store, digest: &Digest) -> Result<Option<Self>> {
        let path = store.directory.join("partial").join(digest.hex());
        let mut options = File::options();
        options.create(true).read(true).write(true).truncate(false);
        options.mode(0o600);
        loop {
            let file = open_regular(&path, &mut options)
                .with_context(|| format!("cannot open {}", path.display()))?;
            store.wait_for(&file, &path)?;
            let blob = store.blob(digest);
            if blob.is_file() {
                let _ = fs::remove_file(&path);
                return Ok(None);
            }
            // Otherwise, whoever had locked it has discarded it.
            if is_at(&file, &path) {
                let have = file.metadata().context("cannot look at it")?.len();
                return Ok(Some(Self {
                    file,
                    have,
                    path,
                    blob,
                }));
            }
        }
    }
    // ANCHOR_END: begin

    /// What is there does not count.
    pub fn clear(&mut self) -> Result<()> {
        self.have = 0;
        Ok(self.file.set_len(0)?)
    }

    /// For a small blob: `bytes` are all of it.
    pub fn fill(mut self, bytes: &[u8]) -> Result<()> {
        let written = self.clear().and_then(|()| {
            self.file.write_all(bytes)?;
            Ok(self.file.sync_all()?)
        });
        if let Err(error) = written.context("cannot write to the store") {
            self.discard()?;
            return Err(error);
        }
        self.keep()
    }

    /// Everything is there, and has the right digest and size: it gets its name. Call [`Store::sync`] before.
    pub fn keep(self) -> Result<()> {
        fs::rename(&self.path, &self.blob)
            .with_context(|| format!("cannot rename {}", self.path.display()))
    }

    /// It is not what it should be.
    pub fn discard(self) -> Result<()> {
        fs::remove_file(&self.path)
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }
}

impl Store {
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob(digest).is_file()
    }

    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs/sha256").join(digest.hex())
    }

    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.blob(digest);
        open_regular(&path, File::options().read(true)).map_err(|error| damaged(&path, error))
    }

    /// What to say about a blob that is not what its digest says.
    pub fn damaged(&self, digest: &Digest) -> Error {
        damaged(&self.blob(digest), anyhow!("it is damaged"))
    }

    /// Removes what has arrived of a blob, while it is locked.
    pub fn forget(&self, digest: &Digest) {
        let _ = fs::remove_file(self.directory.join("partial").join(digest.hex()));
    }

    /// All of a small blob: at most [`MOST`](crate::image::manifest::MOST) bytes, and its size and digest are checked.
    pub fn read_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let path = self.blob(&descriptor.digest);
        let file = self.open_blob(&descriptor.digest)?;
        let mut bytes = Vec::new();
        let read = file.take(MOST + 1).read_to_end(&mut bytes);
        let check = || -> Result<()> {
            read?;
            ensure!(bytes.len() as u64 <= MOST, "it is too large");
            let is_it = Digest::of(&bytes) == descriptor.digest;
            ensure!(
                is_it && bytes.len() as u64 == descriptor.size,
                "it is damaged"
            );
            Ok(())
        };
        check().map_err(|error| damaged(&path, error))?;
        Ok(bytes)
    }

    /// Writes a small blob, unless it is there.
    pub fn write_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if let Some(partial) = self.begin_blob(&digest)? {
            partial.fill(bytes)?;
        }
        Ok(digest)
    }

    /// A blob to fetch: waits (with a word, see [`crate::state::lock`]) for whoever is fetching it already. None if it
    /// is there by then.
    pub fn begin_blob(&self, digest: &Digest) -> Result<Option<Partial>> {
        Partial::begin(self, digest)
    }
}

/// Nobody will try again to pull what needs this blob of the store in `images`. So it should look as if it had come long
/// ago, or what is there of it.
pub fn make_old(images: &Path, digest: &Digest) {
    for place in ["blobs/sha256", "partial"] {
        let path = images.join(place).join(digest.hex());
        let file = open_regular(&path, File::options().read(true));
        let _ = file.map(|file| file.set_modified(SystemTime::UNIX_EPOCH));
    }
}

fn damaged(path: &Path, error: Error) -> Error {
    let hint = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => "pull the image again".to_owned(),
        _ => format!("rm {}, and pull the image again", path.display()),
    };
    anyhow!("cannot read {}: {error:#}\nhint: {hint}", path.display())
}
