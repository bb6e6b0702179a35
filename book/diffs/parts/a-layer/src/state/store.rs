//! The records of the containers: containers/ID/config.json. The parent writes them, and the commands read them.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail, ensure};

use crate::container::Container;
use crate::state::create_private;
use crate::state::id::Id;
use crate::state::lock;
use crate::state::paths::{directory, hidden};

/// A `run` needs less time at its end, since it has little to write and to remove.
pub const LOCK_SECONDS: u64 = 10;

/// The directory of one container. It belongs to the process that has locked it: nobody else writes there.
pub struct Record {
    directory: PathBuf,
    kept: bool,
    /// Locked while this process may write.
    _lock: File,
}

impl Record {
    // ANCHOR: create
    /// The record of a new container. It goes away again when dropped, unless it is [kept](Self::keep).
    pub fn create(state: &Path, container: &Container) -> Result<Self> {
        let directory = create_private(state, &format!("containers/{}", container.id))?;
        let lock = lock(&directory).inspect_err(|_| drop(fs::remove_dir_all(&directory)))?;
        let record = Self {
            directory,
            kept: false,
            _lock: lock,
        };
        record.save(container)?;
        Ok(record)
    }

    /// Writes `container` to the record: all of it or, if that fails, nothing.
    pub fn save(&self, container: &Container) -> Result<()> {
        let text =
            serde_json::to_string_pretty(container).context("cannot serialize the container")?;
        let config = self.directory.join("config.json");
        let new = config.with_extension(format!("json.{}", process::id()));
        let saved = fs::write(&new, text + "\n").and_then(|()| fs::rename(&new, &config));
        if saved.is_err() {
            let _ = fs::remove_file(&new);
        }
        saved.with_context(|| format!("cannot save {}", config.display()))
    }
    // ANCHOR_END: create

    // ANCHOR: open
    /// The record of the container `id`, as soon as no other process has locked it.
    pub fn open(state: &Path, id: &Id) -> Result<Self> {
        let directory = directory(state, id);
        let lock = lock(&directory);
        // Whoever held the lock may have removed it.
        ensure!(directory.exists(), NoSuch);
        Ok(Self {
            _lock: lock?,
            directory,
            kept: true,
        })
    }
    // ANCHOR_END: open

    pub fn load(&self) -> Result<Container> {
        load(&self.directory)
    }

    // ANCHOR: remove
    /// Removes it, with everything beside it.
    pub fn remove(&self) -> Result<()> {
        // The first step decides: nobody must find half of it.
        let gone = hidden(&self.directory);
        fs::rename(&self.directory, &gone).context("cannot rename its record")?;
        fs::remove_dir_all(&gone).context("cannot remove its record")
    }
    // ANCHOR_END: remove

    /// The command has started: from now on there is something to remember.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.kept {
            let _ = self.remove();
        }
    }
}

/// There is no such container.
#[derive(Debug)]
pub struct NoSuch;

impl Display for NoSuch {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("no such container\nhint: tiny-docker ps -a lists all containers")
    }
}

impl Error for NoSuch {}

// ANCHOR: lock
/// Waits for the lock of a record. The kernel releases a lock when its holder ends, in whatever way: flock(2).
fn lock(directory: &Path) -> Result<File> {
    let path = directory.join("lock");
    let opened = File::options().create(true).append(true).open(&path);
    let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
    lock::wait(&file, &path, LOCK_SECONDS)?;
    Ok(file)
}
// ANCHOR_END: lock

// ANCHOR: all
/// All containers in the state directory or, for a record that cannot be read, the reason.
pub fn all(state: &Path) -> Result<Vec<Result<Container>>> {
    let mut found = Vec::new();
    for id in ids(state)? {
        let directory = directory(state, &id);
        let container = load(&directory);
        // It may have been removed since it was listed.
        if container.is_ok() || is_record(&directory) {
            found.push(container);
        }
    }
    Ok(found)
}

fn ids(state: &Path) -> Result<Vec<Id>> {
    let containers = state.join("containers");
    let entries = match fs::read_dir(&containers) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot list {}", containers.display()))?,
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let ids = names.filter_map(|name| Id::parse(name.to_str()?));
    Ok(ids.filter(|id| is_record(&directory(state, id))).collect())
}

/// Without a config.json, a record is being created or removed.
fn is_record(directory: &Path) -> bool {
    !matches!(directory.join("config.json").try_exists(), Ok(false))
}

// ANCHOR: find
/// The container whose id begins with `prefix`.
pub fn find(state: &Path, prefix: &str) -> Result<Container> {
    ensure!(!prefix.is_empty(), "the id is empty");
    let mut ids = ids(state)?;
    ids.retain(|id| id.to_string().starts_with(prefix));
    let number = ids.len();
    match &ids[..] {
        [] => bail!(NoSuch),
        [id] => load(&directory(state, id)),
        [one, another, ..] => bail!("{number} ids begin with it, for example {one} and {another}"),
    }
}
// ANCHOR_END: find

/// What the record in `directory` says about its container, corrected by what the kernel says.
fn load(directory: &Path) -> Result<Container> {
    let config = directory.join("config.json");
    let damaged = || format!("cannot read {}", config.display());
    let text = fs::read(&config).with_context(damaged)?;
    let mut container: Container = serde_json::from_slice(&text).with_context(damaged)?;
    container.notice_its_end();
    Ok(container)
}
// ANCHOR_END: all
