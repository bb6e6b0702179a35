//! The record of one container, for the process that may write it: containers/ID/config.json. flock(2).
//!
//! The parent creates it, and `stop`, `rm` and `prune` open it. It uses [`crate::state::store`], which only reads.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, ensure};

use crate::container::Container;
use crate::namespaces::idmap;
use crate::state::id::Id;
use crate::state::paths::{directory, hidden};
use crate::state::store::{LOCK_SECONDS, NoSuch, load, lock_directory};
use crate::state::{create_private, open_regular};
use crate::state::{lock, name, supervisor};

/// As long as an exit code. It reserves room for one in the lock.
const ROOM: &str = "   ";

/// The directory of one container. It belongs to the process that has locked it: nobody else writes there.
pub struct Record {
    directory: PathBuf,
    state: PathBuf,
    id: Id,
    name: String,
    kept: bool,
    /// The directory, locked while the container starts.
    starting: Option<File>,
    /// Locked while this process may write.
    lock: Option<File>,
    /// What this process saved last.
    saved: Option<File>,
}

impl Record {
    // ANCHOR: create
    /// The record of a new container, hidden until it is [saved](Self::save).
    ///
    /// It goes away again when dropped, unless it is [kept](Self::keep).
    pub fn create(state: &Path, container: &mut Container) -> Result<Self> {
        let containers = create_private(state, "containers")?;
        let mut record = Self::of(state, &container.id, &container.name);
        record.directory = hidden(&record.directory);
        record.kept = false;
        // Until it is locked, it looks like an abandoned one.
        let all = lock_directory(&containers)?;
        let created = DirBuilder::new().mode(0o700).create(&record.directory);
        created.with_context(|| format!("cannot create {}", record.directory.display()))?;
        record.lock()?;
        record
            .write_to_lock(ROOM)
            .context("cannot write to its lock")?;
        container.name = name::reserve(state, &container.name, &container.id)?;
        record.name.clone_from(&container.name);
        record.starting = Some(lock_directory(&record.directory)?);
        drop(all);
        Ok(record)
    }

    /// The record of the container `id`, not locked yet.
    fn of(state: &Path, id: &Id, name: &str) -> Self {
        Self {
            directory: directory(state, id),
            state: state.to_owned(),
            id: id.clone(),
            name: name.to_owned(),
            kept: true,
            starting: None,
            lock: None,
            saved: None,
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
            fs::rename(&new, &config)?;
            Ok(file)
        });
        if saved.is_err() {
            let _ = fs::remove_file(&new);
        }
        // It stays open. Otherwise, a container that sees it could take a lease, and keep others from reading:
        // fcntl(2).
        self.saved = Some(saved.with_context(|| format!("cannot save {}", config.display()))?);
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
        let mut record = Self::of(state, &container.id, &container.name);
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
        load(&self.directory, &self.id)
    }

    /// Leaves the exit code for whoever has opened the lock: when they read it, everything else may be gone.
    ///
    /// It takes the place of [`ROOM`], so a full disk cannot lose it.
    pub fn tell(&self, code: u8) {
        let _ = self.write_to_lock(&format!("{code:<3}"));
    }

    fn write_to_lock(&self, text: &str) -> io::Result<()> {
        let lock = self.lock.as_ref();
        lock.map_or(Ok(()), |lock| lock.write_all_at(text.as_bytes(), 0))
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
        name::release(&self.state, &self.name, &self.id);
        idmap::remove(&gone)
    }

    /// Removes what is left of the container `id` if its record cannot be read.
    pub fn remove_damaged(state: &Path, id: &Id) -> Result<()> {
        let mut record = Self::of(state, id, "");
        let directory = &record.directory;
        if !fs::symlink_metadata(directory)?.is_dir() {
            return fs::remove_file(directory).context("cannot remove the file in its place");
        }
        let _ = fs::set_permissions(directory, Permissions::from_mode(0o700));
        let path = directory.join("lock");
        // If its `run` still exists, it holds this lock.
        if let Ok(lock) = open_regular(&path, File::options().read(true)) {
            if let Some(process) = supervisor::container_of(&lock)? {
                process.kill(id)?;
            }
            lock::wait(&lock, &path, File::try_lock, LOCK_SECONDS)?;
            // With --rm, it has done the rest.
            if !record.directory.exists() {
                return Ok(());
            }
            record.lock = Some(lock);
        }
        // Somebody may have begun to remove it.
        idmap::remove(&hidden(&record.directory))?;
        record.remove()
    }

    /// The command has started: from now on there is something to remember, and to [look into](super::store::started).
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
