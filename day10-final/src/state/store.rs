//! All containers: their records, which are directories in containers/ in the state directory.
//!
//! It reads records; [`crate::state::record`] writes them. Every command that takes an id or a name finds it here.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::cgroup;
use crate::container::Container;
use crate::failure::warn;
use crate::state::id::Id;
use crate::state::paths::{directory, exists};
use crate::state::{check_private, open_directory, open_regular};
use crate::state::{lock, name};

/// A `run` needs less time at its end, since it has little to write and to remove.
pub const LOCK_SECONDS: u64 = 10;

/// No record is as long as this: the kernel limits the length of a command, execve(2).
const LIMIT: u64 = 16 << 20;

/// There is no such container.
#[derive(Debug)]
pub struct NoSuch;

impl Display for NoSuch {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("no such container\nhint: tiny-docker ps -a lists all containers")
    }
}

impl Error for NoSuch {}

// ANCHOR: started
/// Waits until the container `id` has started, or has failed to. Before that, its root is still the host's.
pub fn started(state: &Path, id: &Id) -> Result<()> {
    let path = directory(state, id);
    let directory = open_directory(&path).context("no such container")?;
    let started = lock::wait(&directory, &path, File::try_lock_shared, LOCK_SECONDS);
    started.context("cannot wait for its start")
}
// ANCHOR_END: started

/// Waits until the `run` of a container that has ended releases its `lock`, but not forever: it may be suspended.
pub fn ended(lock: &File) {
    let path = fs::read_link(format!("/proc/self/fd/{}", lock.as_raw_fd())).unwrap_or_default();
    if let Err(error) = lock::wait(lock, &path, File::try_lock_shared, LOCK_SECONDS) {
        warn(&error);
    }
}

/// Locks `directory` until the result is dropped.
pub fn lock_directory(directory: &Path) -> Result<File> {
    let file = open_directory(directory)
        .with_context(|| format!("cannot open {}", directory.display()))?;
    lock::wait(&file, directory, File::try_lock, LOCK_SECONDS)?;
    Ok(file)
}

// ANCHOR: all
/// All containers in the state directory or, for a record that cannot be read, the reason.
pub fn all(state: &Path) -> Result<Vec<Result<Container>>> {
    let mut found = Vec::new();
    for id in ids(state)? {
        let directory = directory(state, &id);
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

// ANCHOR: find
/// The container that `text` means: its id, its name, or the beginning of its id.
pub fn find(state: &Path, text: &str) -> Result<Container> {
    let id = resolve(state, text)?;
    let directory = directory(state, &id);
    // A container that is starting, or half removed, does not count.
    load(&directory, &id).or_else(|error| match directory.exists() {
        true => Err(error),
        false => bail!(NoSuch),
    })
}

/// The id that `text` means, whether or not its record can be read.
pub fn resolve(state: &Path, text: &str) -> Result<Id> {
    ensure!(!text.is_empty(), "the id is empty");
    let whole = Id::parse(text).filter(|id| exists(state, id));
    if let Some(id) = whole.or_else(|| name::find(state, text)) {
        return Ok(id);
    }
    let mut ids = match Id::may_begin_with(text) {
        true => ids(state)?,
        false => Vec::new(),
    };
    ids.retain(|id| id.to_string().starts_with(text));
    match &ids[..] {
        [] => bail!(NoSuch),
        [id] => Ok(id.clone()),
        [one, another, ..] => bail!(
            "{} ids begin with it, for example {one} and {another}",
            ids.len()
        ),
    }
}
// ANCHOR_END: find

/// Keeps others from beginning a record. None if somebody is beginning one right now: then it can wait for another
/// time.
pub fn try_lock_all(state: &Path) -> Option<File> {
    let all = open_directory(&state.join("containers")).ok()?;
    all.try_lock().is_ok().then_some(all)
}

// ANCHOR: load
/// What the record in `directory` says about the container `id`, corrected by what the kernel says.
pub fn load(directory: &Path, id: &Id) -> Result<Container> {
    let config = directory.join("config.json");
    let damaged = || format!("cannot read {}", config.display());
    check_private(directory).with_context(damaged)?;
    let file = open_regular(&config, File::options().read(true)).with_context(damaged)?;
    let mut text = Vec::new();
    file.take(LIMIT)
        .read_to_end(&mut text)
        .with_context(damaged)?;
    let parsed = serde_json::from_slice(&text);
    // The error may quote the record, which must not print a line of its own, such as a hint.
    let parsed = parsed.map_err(|error| anyhow!(error.to_string().replace('\n', "\\n")));
    let mut container: Container = parsed.with_context(damaged)?;
    ensure!(container.id == *id, "{}: it contains another id", damaged());
    ensure!(
        container.name.is_empty() || name::check(&container.name).is_ok(),
        "{}: its name is not valid",
        damaged()
    );
    // Whatever the record says, these are where we put them.
    container.log = container.log.map(|_| directory.join("container.log"));
    container.etc = container.etc.map(|_| directory.join("etc"));
    container.layer = directory.join("layer");
    if let (Some(state), Some(image)) = (directory.ancestors().nth(2), &container.image) {
        container.rootfs = image.rootfs(state);
    }
    container.cgroup = cgroup::those_of(id, &container.cgroup);
    container.notice_its_end();
    Ok(container)
}
// ANCHOR_END: load
