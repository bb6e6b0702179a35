//! The record of one container, for the process that may write it: containers/ID/config.json. flock(2).
//!
//! The parent creates it, and `stop` and `rm` open it. It uses [`crate::state::store`], which only reads.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, ensure};

use crate::container::Container;
use crate::namespaces::idmap;
use crate::state::id::Id;
use crate::state::lock;
use crate::state::paths::{directory, hidden};
use crate::state::store::{LOCK_SECONDS, NoSuch, load, lock_directory};
use crate::state::{create_private, open_regular};

/// The directory of one container. It belongs to the process that has locked it: nobody else writes there.
pub struct Record {
    directory: PathBuf,
    state: PathBuf,
    id: Id,
    kept: bool,
    /// The directory, locked while the container starts.
    starting: Option<File>,
    /// Locked while this process may write.
    lock: Option<File>,
}

impl Record {
    // ANCHOR: create
    /// The record of a new container, hidden until it is [saved](Self::save).
    ///
    /// It goes away again when dropped, unless it is [kept](Self::keep).
    pub fn create(state: &Path, container: &Container) -> Result<Self> {
        let containers = create_private(state, "containers")?;
        let mut record = Self::of(state, &container.id);
        record.directory = hidden(&record.directory);
        record.kept = false;
        // Until it is locked, it looks like an abandoned one.
        let all = lock_directory(&containers)?;
        let created = DirBuilder::new().mode(0o700).create(&record.directory);
        created.with_context(|| format!("cannot create {}", record.directory.display()))?;
        record.lock()?;
        record.starting = Some(lock_directory(&record.directory)?);
        drop(all);
        Ok(record)
    }

    /// The record of the container `id`, not locked yet.
    fn of(state: &Path, id: &Id) -> Self {
        Self {
            directory: directory(state, id),
            state: state.to_owned(),
            id: id.clone(),
            kept: true,
            starting: None,
            lock: None,
        }
    }
    // ANCHOR_END: create

    // ANCHOR: save
    /// Writes `container` to the record: all of it or, if that fails, nothing.
    pub fn save(&mut self, container: &Container) -> Result<()> {
        let text =
            serde_json::to_string_pretty(container).context("cannot serialize the container")?;
        let config = self.directory.join("config.json");
        let new = config.with_extension(format!("json.{}", process::id()));
        // A killed process may have left a file of this name. We never write to an existing one: it could be a link.
        let _ = fs::remove_file(&new);
        let saved = File::create_new(&new).and_then(|mut file| {
            file.write_all((text + "\n").as_bytes())?;
            fs::rename(&new, &config)
        });
        if saved.is_err() {
            let _ = fs::remove_file(&new);
        }
        saved.with_context(|| format!("cannot save {}", config.display()))?;
        // It gets its own name when it is complete: others may be reading.
        let directory = directory(&self.state, &self.id);
        fs::rename(&self.directory, &directory).context("cannot rename the record")?;
        self.directory = directory;
        Ok(())
    }
    // ANCHOR_END: save

    // ANCHOR: open
    /// The record of `container`, as soon as no other process has locked it.
    ///
    /// The kernel releases a lock when the process that holds it ends, in any way: flock(2).
    pub fn open(state: &Path, container: &Container) -> Result<Self> {
        let mut record = Self::of(state, &container.id);
        let locked = record.lock();
        // Whoever held the lock may have removed it.
        ensure!(record.directory.exists(), NoSuch);
        locked?;
        Ok(record)
    }

    fn lock(&mut self) -> Result<()> {
        let file = self.directory.join("lock");
        let mut options = File::options();
        options.create(true).write(true).truncate(false);
        let lock = open_regular(&file, &mut options)
            .with_context(|| format!("cannot open {}", file.display()))?;
        lock::wait(&lock, &file, File::try_lock, LOCK_SECONDS)?;
        self.lock = Some(lock);
        Ok(())
    }
    // ANCHOR_END: open

    /// What it says about its container.
    pub fn load(&self) -> Result<Container> {
        load(&self.directory)
    }

    /// Removes it, with everything beside it.
    pub fn remove(&mut self) -> Result<()> {
        // While it is locked, nobody else removes what is left of it.
        let _removing = match self.starting.take() {
            Some(starting) => starting,
            None => lock_directory(&self.directory)?,
        };
        // The first step decides: nobody must find half of it.
        let gone = hidden(&self.directory);
        fs::rename(&self.directory, &gone).context("cannot rename its record")?;
        self.directory.clone_from(&gone);
        idmap::remove(&gone)
    }

    /// The command has started: from now on there is something to remember.
    pub fn keep(&mut self) {
        self.kept = true;
        self.starting = None;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.kept {
            let _ = self.remove();
        }
    }
}
