//! One container's directory: its state and its lock. flock(2).

use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::oci::container::{Container, Status};
use crate::state::{lock, open_regular};

/// How long we wait for another command that is at work on the same container.
const LOCK_SECONDS: u64 = 10;

/// As of tiny-docker's records.
const LIMIT: u64 = 32 << 20;

/// The directory of one container. If it is locked, it stays so until this is dropped.
pub struct Entry {
    pub(super) directory: PathBuf,
    pub(super) lock: Option<File>,
}

impl Entry {
    pub(super) fn lock(directory: PathBuf) -> Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let opened = open(&directory, flags, Mode::empty());
        let opened =
            File::from(opened.with_context(|| format!("cannot open {}", directory.display()))?);
        lock::wait(&opened, &directory, File::try_lock, LOCK_SECONDS)?;
        Ok(Self {
            directory,
            lock: Some(opened),
        })
    }

    // ANCHOR: is_there
    /// Whether it is still the directory with this name. If it is not locked, that may change.
    pub(super) fn is_there(&self) -> bool {
        let locked = self.lock.as_ref().and_then(|lock| lock.metadata().ok());
        let found = fs::symlink_metadata(&self.directory).ok();
        let inode = |found: Metadata| (found.dev(), found.ino());
        found.is_some() && found.map(inode) == locked.map(inode)
    }
    // ANCHOR_END: is_there

    pub fn read(&self) -> Result<Container> {
        let path = self.directory.join("state.json");
        let cannot = || format!("cannot read {}", path.display());
        let file = open_regular(&path, File::options().read(true)).with_context(cannot)?;
        let length = file.metadata().with_context(cannot)?.len();
        ensure!(length <= LIMIT, "{}: it is too long", cannot());
        serde_json::from_reader(std::io::BufReader::new(file)).with_context(cannot)
    }

    // ANCHOR: save
    pub fn save(&self, container: &Container) -> Result<()> {
        let (new, path) = (
            self.directory.join(".state.json"),
            self.directory.join("state.json"),
        );
        let save = || {
            let text = serde_json::to_vec(container)?;
            // The environment in it may have passwords.
            let mut options = File::options();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&new)?.write_all(&text)?;
            anyhow::Ok(fs::rename(&new, &path)?)
        };
        save().with_context(|| format!("cannot write {}", path.display()))
    }
    // ANCHOR_END: save

    pub fn status(&self, container: &Container) -> Result<Status> {
        Ok(container.status())
    }

    /// The container is gone.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.directory)
            .with_context(|| format!("cannot remove {}", self.directory.display()))
    }
}
