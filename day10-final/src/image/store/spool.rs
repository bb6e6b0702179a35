//! A file on its way into the store whose digest nobody has said, or not yet: images/partial/.HEX, with a random HEX.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::image::digest::{Digest, Hashing};
use crate::image::store::Store;
use crate::state::id::Id;
use crate::state::open_regular;

// ANCHOR: spool
/// While it is being written.
pub struct Spool<'a> {
    spooled: Spooled<'a>,
    file: Hashing<File>,
}

/// When all of it is on the disk. Unless it is kept, it is removed. (If we are killed, whoever
/// [collects](super::collect) does that.)
pub struct Spooled<'a> {
    pub digest: Digest,
    pub size: u64,
    random: Digest,
    store: &'a Store,
}
// ANCHOR_END: spool

impl<'a> Spool<'a> {
    pub fn new(store: &'a Store) -> Result<Self> {
        let random = Digest::of(Id::new()?.to_string().as_bytes());
        let spooled = Spooled {
            digest: random,
            size: 0,
            random,
            store,
        };
        let path = spooled.path();
        let mut options = File::options();
        let file = options.create_new(true).write(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        let file = Hashing::new(file);
        Ok(Self { spooled, file })
    }

    pub fn finish(self) -> Spooled<'a> {
        let Self { mut spooled, file } = self;
        spooled.size = file.size;
        spooled.digest = file.digest();
        spooled
    }
}

impl Write for Spool<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

// ANCHOR: keep
impl Spooled<'_> {
    fn path(&self) -> PathBuf {
        let partial = self.store.directory.join("partial");
        partial.join(format!(".{}", self.random.hex()))
    }

    pub fn open(&self) -> Result<File> {
        open_regular(&self.path(), File::options().read(true))
    }

    /// Now it is the blob with its digest. Call [`Store::sync`] before.
    pub fn keep(&self) -> Result<()> {
        let path = self.path();
        fs::rename(&path, self.store.blob(&self.digest))
            .with_context(|| format!("cannot rename {}", path.display()))
    }
}

impl Drop for Spooled<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path());
    }
}
// ANCHOR_END: keep
