//! The records of the containers: containers/ID/config.json in the state directory.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::container::Container;
use crate::state::id::Id;
use crate::state::lock;
use crate::state::{check_private, create_private, open_regular};

/// No record is as long as this: the kernel limits the length of a command, execve(2).
const LIMIT: u64 = 16 << 20;

/// A `run` needs less time at its end, since it has little to write and to remove.
const LOCK_SECONDS: u64 = 10;

/// The directory of one container, in the hands of the process that waits for it: nobody else writes there.
pub struct Record {
    directory: PathBuf,
    kept: bool,
    /// Locked while this process may write.
    _lock: Option<File>,
}

impl Record {
    // ANCHOR: create
    /// Makes room for a new container. Goes away again when dropped, unless it is [kept](Self::keep).
    pub fn create(state: &Path, container: &Container) -> Result<Self> {
        let containers = create_private(state, "containers")?;
        let directory = containers.join(container.id.to_string());
        // Under its own name it is complete from the first moment: others may be reading.
        let mut record = Self {
            directory: unfinished(&directory),
            kept: false,
            _lock: None,
        };
        let created = DirBuilder::new().mode(0o700).create(&record.directory);
        created.with_context(|| format!("cannot create {}", record.directory.display()))?;
        record.lock()?;
        record.save(container)?;
        fs::rename(&record.directory, &directory).context("cannot rename the record")?;
        record.directory = directory;
        Ok(record)
    }
    // ANCHOR_END: create

    // ANCHOR: save
    /// Writes `container` to the record: all of it or, where that fails, nothing.
    pub fn save(&self, container: &Container) -> Result<()> {
        let text =
            serde_json::to_string_pretty(container).context("cannot serialize the container")?;
        let config = self.directory.join("config.json");
        let new = config.with_extension(format!("json.{}", process::id()));
        // A killed process may have left a file of this name. We never write to an existing one: it could be a link.
        let _ = fs::remove_file(&new);
        let saved = File::create_new(&new)
            .and_then(|mut file| file.write_all((text + "\n").as_bytes()))
            .and_then(|()| fs::rename(&new, &config));
        if saved.is_err() {
            let _ = fs::remove_file(&new);
        }
        saved.with_context(|| format!("cannot save {}", config.display()))
    }
    // ANCHOR_END: save

    // ANCHOR: open
    /// The record of the container `id`, as soon as nobody else has it in hands.
    ///
    /// The kernel lifts a lock when who has it ends, in any way: flock(2).
    pub fn open(state: &Path, id: &Id) -> Result<Self> {
        let mut record = Self {
            directory: state.join("containers").join(id.to_string()),
            kept: true,
            _lock: None,
        };
        record.lock()?;
        Ok(record)
    }

    fn lock(&mut self) -> Result<()> {
        let file = self.directory.join("lock");
        let lock = open_regular(&file, File::options().create(true).append(true))
            .with_context(|| format!("cannot open {}", file.display()))?;
        lock::wait(&lock, &file, LOCK_SECONDS)?;
        self._lock = Some(lock);
        Ok(())
    }
    // ANCHOR_END: open

    /// What it says about the container `id`, whose it is.
    pub fn load(&self, id: &Id) -> Result<Container> {
        load(&self.directory, id)
    }

    /// From now on there is something to remember.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.kept {
            // Out of sight first: nobody is to find half of it.
            let gone = unfinished(&self.directory);
            let _ = fs::rename(&self.directory, &gone);
            let _ = fs::remove_dir_all(&gone);
        }
    }
}

/// The name of a record that is being made or removed.
fn unfinished(directory: &Path) -> PathBuf {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    directory.with_file_name(format!(".{}", name.trim_start_matches('.')))
}

// ANCHOR: all
/// All containers in the state directory, and for those whose record cannot be read, why.
pub fn all(state: &Path) -> Result<Vec<Result<Container>>> {
    let mut found = Vec::new();
    for id in ids(state)? {
        let directory = state.join("containers").join(id.to_string());
        let container = load(&directory, &id);
        // It may have been removed since it was listed.
        if container.is_ok() || directory.exists() {
            found.push(container);
        }
    }
    Ok(found)
}
// ANCHOR_END: all

fn ids(state: &Path) -> Result<Vec<Id>> {
    let containers = state.join("containers");
    let entries = match fs::read_dir(&containers) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot list {}", containers.display()))?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.context("cannot list the containers")?.file_name();
        ids.extend(name.to_str().and_then(Id::parse));
    }
    Ok(ids)
}

/// Where the container `id` writes, when it is in the background.
pub fn log(state: &Path, id: &Id) -> PathBuf {
    let directory = state.join("containers").join(id.to_string());
    directory.join("container.log")
}

/// Where the files for the /etc of the container `id` are.
pub fn etc(state: &Path, id: &Id) -> PathBuf {
    log(state, id).with_file_name("etc")
}

// ANCHOR: find
/// The container whose id begins with `prefix`.
pub fn find(state: &Path, prefix: &str) -> Result<Container> {
    ensure!(!prefix.is_empty(), "the id is empty");
    ensure!(
        Id::may_begin_with(prefix),
        "no such container: ids have up to 12 hexadecimal digits"
    );
    let mut ids = ids(state)?;
    ids.retain(|id| id.to_string().starts_with(prefix));
    match &ids[..] {
        [] => bail!("no such container\nhint: tiny-docker ps -a lists all containers"),
        [id] => load(&state.join("containers").join(id.to_string()), id),
        [one, another, ..] => bail!(
            "{} ids begin with it, for example {one} and {another}",
            ids.len()
        ),
    }
}
// ANCHOR_END: find

/// What the user has typed for an id, fit for a line of ours.
pub fn shown(id: &str) -> String {
    match id.chars().count() {
        0 => "''".to_owned(),
        1..=64 => id.escape_debug().to_string(),
        _ => format!(
            "{}…",
            id.chars().take(64).collect::<String>().escape_debug()
        ),
    }
}

// ANCHOR: load
/// What `directory` says about the container `id`, corrected by what the kernel says.
fn load(directory: &Path, id: &Id) -> Result<Container> {
    let config = directory.join("config.json");
    let damaged = || format!("cannot read {}", config.display());
    check_private(directory).with_context(damaged)?;
    let file = open_regular(&config, File::options().read(true)).with_context(damaged)?;
    let mut text = Vec::new();
    file.take(LIMIT)
        .read_to_end(&mut text)
        .with_context(damaged)?;
    let parsed = serde_json::from_slice(&text);
    // The error may quote the record, which is not to print a line of its own, such as a hint.
    let parsed = parsed.map_err(|error| anyhow!(error.to_string().replace('\n', "\\n")));
    let mut container: Container = parsed.with_context(damaged)?;
    ensure!(container.id == *id, "{}: it contains another id", damaged());
    container.notice_its_end();
    Ok(container)
}
// ANCHOR_END: load
