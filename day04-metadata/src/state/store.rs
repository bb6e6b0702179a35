//! The records of the containers: containers/ID/config.json in the state directory.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, anyhow, ensure};

use crate::container::Container;
use crate::state::id::Id;
use crate::state::{check_private, create_private, open_regular};

/// No record is as long as this: the kernel limits the length of a command, execve(2).
const LIMIT: u64 = 16 << 20;

/// The directory of one container, in the hands of the process that waits for it: nobody else writes there.
pub struct Record {
    directory: PathBuf,
    kept: bool,
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
        };
        let created = DirBuilder::new().mode(0o700).create(&record.directory);
        created.with_context(|| format!("cannot create {}", record.directory.display()))?;
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
