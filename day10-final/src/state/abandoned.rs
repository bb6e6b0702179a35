//! Containers that nobody looks after any more: their `run` or `rm` was killed. flock(2).
//!
//! `run`, `stop`, `rm` and `prune` remove what is left of them. This is the top of the room: nothing else in it uses
//! this file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::cgroup;
use crate::container::Status;
use crate::namespaces::idmap;
use crate::state::id::Id;
use crate::state::name;
use crate::state::paths::{self, directory, hidden};
use crate::state::record::Record;
use crate::state::store::{all, load, try_lock_all};
use crate::state::{open_directory, open_regular};

/// Removes everything that is left of abandoned containers.
pub fn remove(state: &Path) {
    remove_cgroups(state);
    remove_records(state);
}

/// Removes the cgroups of containers whose `run` was killed.
pub fn remove_cgroups(state: &Path) {
    cgroup::remove_those(|id| is_abandoned(state, id));
}

// ANCHOR: remove_records
/// Removes the records that a killed `run` or `rm` has left half done, or that a killed `run --rm` has left behind.
pub fn remove_records(state: &Path) {
    let halves = abandoned_halves(state).unwrap_or_default();
    for (half, _lock) in &halves {
        let _ = idmap::remove(half);
    }
    for container in all(state).into_iter().flatten().flatten() {
        if container.remove && is_abandoned(state, &container.id) {
            let _ = Record::open(state, &container).and_then(|mut record| record.remove());
        }
    }
    if let Some(_all) = try_lock_all(state).filter(|_| !halves.is_empty()) {
        name::remove_abandoned(state);
    }
}

/// The records that a killed process was creating or removing. Each is locked now, so it is ours to remove.
fn abandoned_halves(state: &Path) -> Option<Vec<(PathBuf, File)>> {
    let _all = try_lock_all(state)?;
    let entries = fs::read_dir(state.join("containers")).ok()?.flatten();
    let half = |entry: fs::DirEntry| {
        // Only names that look like ours: `.git` stays.
        let name = entry.file_name();
        name.to_str()?.strip_prefix('.').and_then(Id::parse)?;
        let lock = open_directory(&entry.path()).ok()?;
        lock.try_lock().is_ok().then(|| (entry.path(), lock))
    };
    Some(entries.filter_map(half).collect())
}
// ANCHOR_END: remove_records

/// Frees `name`, if it belongs to an abandoned container.
pub fn free(state: &Path, name: &str) {
    if name::find(state, name).is_some() {
        remove_records(state);
    }
}

/// Whether the container `id` has ended, or never started, and nobody is left to look after it.
fn is_abandoned(state: &Path, id: &Id) -> bool {
    let directory = directory(state, id);
    // Whether it exists, only opening it can tell: it may get its own name at any moment.
    if let Ok(half) = open_directory(&hidden(&directory)) {
        return half.try_lock().is_ok();
    }
    let ended = load(&directory, id).is_ok_and(|container| container.status != Status::Running);
    ended && is_unlocked(&paths::lock(state, id))
}

/// Whether nobody has locked `file`, or it does not exist.
fn is_unlocked(file: &Path) -> bool {
    let lock = open_regular(file, File::options().read(true));
    lock.map_or(true, |lock| lock.try_lock().is_ok())
}
