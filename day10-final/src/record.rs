//! The record of one container, in the hands of who may write it: containers/ID/config.json. flock(2).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, ensure};

use crate::container::Container;
use crate::id::Id;
use crate::state::create_private;
use crate::store::{NoSuch, directory, load, lock, remove_abandoned, unfinished};
use crate::{idmap, name};

/// The directory of one container, in the hands of the process that waits for it: nobody else writes there.
pub struct Record {
    directory: PathBuf,
    state: PathBuf,
    id: Id,
    name: String,
    kept: bool,
    /// The directory, locked while the container starts.
    starting: Option<File>,
    /// Locked while this process may write.
    _lock: Option<File>,
}

impl Record {
    // ANCHOR: create
    /// Makes room for a new container, under a name that nobody looks at until it is [saved](Self::save).
    ///
    /// Goes away again when dropped, unless it is [kept](Self::keep).
    pub fn create(state: &Path, container: &mut Container) -> Result<Self> {
        let containers = state.join("containers");
        create_private(&containers)?;
        let mut record = Self::of(state, container);
        record.directory = unfinished(&record.directory);
        record.kept = false;
        if name::find(state, &container.name).is_some() {
            // Perhaps it is that of one that nobody has in hands any more.
            remove_abandoned(state);
        }
        // Without a lock, it looks like one that somebody has left behind.
        let all = lock(&containers)?;
        let created = DirBuilder::new().mode(0o700).create(&record.directory);
        created.with_context(|| format!("cannot create {}", record.directory.display()))?;
        record.lock()?;
        container.name = name::reserve(state, &container.name, &container.id)?;
        record.name.clone_from(&container.name);
        record.starting = Some(lock(&record.directory)?);
        drop(all);
        Ok(record)
    }

    /// That of `container`, not locked yet.
    fn of(state: &Path, container: &Container) -> Self {
        Self {
            directory: directory(state, &container.id),
            state: state.to_owned(),
            id: container.id.clone(),
            name: container.name.clone(),
            kept: true,
            starting: None,
            _lock: None,
        }
    }
    // ANCHOR_END: create

    // ANCHOR: save
    /// Writes `container` to the record: all of it or, where that fails, nothing.
    pub fn save(&mut self, container: &Container) -> Result<()> {
        let text =
            serde_json::to_string_pretty(container).context("cannot describe the container")?;
        let config = self.directory.join("config.json");
        let new = config.with_extension(format!("json.{}", process::id()));
        let saved = fs::write(&new, text + "\n").and_then(|()| fs::rename(&new, &config));
        if saved.is_err() {
            let _ = fs::remove_file(&new);
        }
        saved.with_context(|| format!("cannot save {}", config.display()))?;
        // Under its own name it is complete from the first moment: others may be reading.
        let directory = directory(&self.state, &self.id);
        fs::rename(&self.directory, &directory).context("cannot name the record")?;
        self.directory = directory;
        Ok(())
    }
    // ANCHOR_END: save

    // ANCHOR: open
    /// The record of the container `id`, as soon as nobody else has it in hands.
    ///
    /// The kernel lifts a lock when who has it ends, in any way: flock(2).
    pub fn open(state: &Path, container: &Container) -> Result<Self> {
        let mut record = Self::of(state, container);
        let locked = record.lock();
        // Who had it in hands may have removed it.
        ensure!(record.directory.exists(), NoSuch);
        locked?;
        Ok(record)
    }

    fn lock(&mut self) -> Result<()> {
        let file = self.directory.join("lock");
        let cannot = || format!("cannot lock {}", file.display());
        let mut options = OpenOptions::new();
        let lock = options.create(true).append(true).open(&file);
        let lock = lock.with_context(cannot)?;
        lock.lock().with_context(cannot)?;
        self._lock = Some(lock);
        Ok(())
    }
    // ANCHOR_END: open

    /// What it says about its container.
    pub fn load(&self) -> Result<Container> {
        load(&self.directory, &self.id)
    }

    /// Leaves the exit code to whoever has the lock open: the rest may be gone when they get it.
    pub fn tell(&self, code: u8) {
        let _ = fs::write(self.directory.join("lock"), code.to_string());
    }

    /// Forgets it, with all that is kept beside it.
    pub fn remove(&mut self) -> Result<()> {
        // Locked, what is left of it is nobody else's to remove.
        let _removing = match self.starting.take() {
            Some(starting) => starting,
            None => lock(&self.directory)?,
        };
        // The first step decides: nobody is to find half of it.
        let gone = unfinished(&self.directory);
        fs::rename(&self.directory, &gone).context("cannot rename its record")?;
        self.directory.clone_from(&gone);
        name::release(&self.state, &self.name, &self.id);
        idmap::remove(&gone)
    }

    /// It has started: from now on there is something to remember, and to [look into](started).
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
