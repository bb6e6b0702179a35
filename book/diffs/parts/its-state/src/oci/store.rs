//! The state of all containers: a directory each, named after its id, below `--root`.
//!
//! It is beside tiny-docker's own state, with the same rules: only its owner may write there, a file is complete or
//! absent, and whoever changes a container holds its lock.

pub mod entry;

use std::env;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::geteuid;

pub use crate::oci::store::entry::Entry;
use crate::state::check_above;

pub struct Store {
    root: PathBuf,
}

impl Store {
    /// By default /run/tiny-runc or, for an ordinary user, a directory in XDG_RUNTIME_DIR.
    pub fn open(asked: Option<PathBuf>) -> Result<Self> {
        let root = match asked {
            Some(root) => root,
            None if geteuid().is_root() => "/run/tiny-runc".into(),
            None => env::var_os("XDG_RUNTIME_DIR")
                .map(|run| PathBuf::from(run).join("tiny-runc"))
                .context("XDG_RUNTIME_DIR is not set\nhint: use --root DIR")?,
        };
        Ok(Self { root })
    }

    // ANCHOR: create
    /// A new directory for the container `id`.
    pub fn create(&self, id: &str) -> Result<Entry> {
        check_id(id)?;
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private
            .create(&self.root)
            .with_context(|| format!("cannot create {}", self.root.display()))?;
        self.check()?;
        let directory = self.root.join(id);
        match private.recursive(false).mode(0o711).create(&directory) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("container with the id {id} already exists")
            }
            created => {
                created.with_context(|| format!("cannot create {}", directory.display()))?;
            }
        }
        let entry = Entry::lock(directory)?;
        // `delete --force` takes it for what a killed `create` has left.
        ensure!(
            entry.is_there(),
            "container {id} has been deleted meanwhile"
        );
        Ok(entry)
    }
    // ANCHOR_END: create

    // ANCHOR: find
    /// A container, to change something about it.
    pub fn find(&self, id: &str) -> Result<Entry> {
        let seen = self.look(id)?;
        let entry = Entry::lock(seen.directory)?;
        // Meanwhile, it may have gone, and another container may have its name.
        ensure!(entry.is_there(), "container {id} does not exist");
        Ok(entry)
    }
    // ANCHOR_END: find

    /// A container, to read its state, which is always complete; or to signal it. A hook may do so while the container is
    /// locked for its start.
    pub fn look(&self, id: &str) -> Result<Entry> {
        check_id(id)?;
        let directory = self.root.join(id);
        ensure!(
            fs::symlink_metadata(&directory).is_ok(),
            "container {id} does not exist"
        );
        self.check()?;
        Ok(Entry {
            directory,
            lock: None,
        })
    }

    // ANCHOR: check
    /// Whoever can write to this directory decides what we read, and which processes we signal.
    fn check(&self) -> Result<()> {
        let root = self.root.display();
        let found = fs::metadata(&self.root).with_context(|| format!("cannot open {root}"))?;
        let problem = if !found.is_dir() {
            "it is not a directory"
        } else if found.uid() != geteuid().as_raw() && found.uid() != 0 {
            "it belongs to another user"
        } else if found.mode() & 0o022 != 0 {
            "other users can write to it\nhint: chmod go-w"
        } else {
            // Nor may anybody put another directory in its place.
            return check_above(&self.root).context("cannot use --root");
        };
        bail!("cannot use {root}: {problem}")
    }
    // ANCHOR_END: check
}

/// An id is the name of a directory, and part of the names of cgroups.
pub fn check_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    if let Some(wrong) = id.chars().find(|c| !plain(*c)) {
        bail!(
            "invalid character {wrong:?} in the container ID {id:?}\n\
             hint: letters, digits, '_', '+', '-' and '.' are possible"
        );
    }
    ensure!(
        !id.is_empty() && id != "." && id != "..",
        "invalid container ID {id:?}"
    );
    // It is the name of a directory.
    ensure!(
        id.len() <= 255,
        "invalid container ID: it has more than 255 characters"
    );
    Ok(())
}
