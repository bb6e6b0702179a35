//! What the threads of a pull know of each other: how far each blob and each layer is, and whether something has failed.

use std::fs::File;
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, ensure};

use crate::image::digest::Digest;
use crate::image::manifest::Descriptor;
use crate::image::registry::Registry;
use crate::image::store::Store;
use crate::image::store::blob::Partial;
use crate::image::store::unfinished::Unfinished;

/// How many blobs and layers may wait for their names, and how long: another pull may wait for one.
const MOST_FINISHED: usize = 32;
const LONGEST: Duration = Duration::from_millis(500);

/// How far a blob or a layer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Waiting,
    /// It is being fetched or unpacked.
    Moving,
    /// All of it is there, and checked.
    Complete,
    /// It has its name in the store.
    Stored,
}

pub struct Blob {
    pub descriptor: Descriptor,
    pub stage: Stage,
    /// How many bytes are there.
    pub have: u64,
    /// What is there, as soon as one may read along.
    pub file: Option<Arc<File>>,
}

pub struct Layer {
    pub chain: Digest,
    pub diff_id: Digest,
    /// Which blob it is unpacked from.
    pub blob: usize,
    pub stage: Stage,
    /// Its directory, from when it is complete until it has its name.
    directory: Option<Arc<File>>,
    /// How many bytes of the blob have been unpacked.
    pub read: u64,
}

/// What is complete, and needs its name.
pub enum Finished {
    Blob(usize, Partial),
    Layer(usize, Unfinished),
}

pub struct State {
    pub blobs: Vec<Blob>,
    /// From the bottom.
    pub layers: Vec<Layer>,
    finished: Vec<Finished>,
    /// When the first of them was.
    since: Option<Instant>,
    failure: Option<Error>,
    pub has_failed: bool,
}

impl State {
    /// Whether all blobs and layers are at least at `stage`.
    fn are_all(&self, stage: Stage) -> bool {
        let blobs = self.blobs.iter().map(|blob| blob.stage);
        let mut all = blobs.chain(self.layers.iter().map(|layer| layer.stage));
        all.all(|one| one >= stage)
    }

    // ANCHOR: due
    /// Whether what is complete should get its name now. Before that, the disk has to be synced, so not too often.
    fn is_due(&self) -> bool {
        let is_old = |since: Instant| since.elapsed() >= LONGEST;
        let is_enough = self.finished.len() >= MOST_FINISHED || self.are_all(Stage::Complete);
        !self.finished.is_empty() && (is_enough || self.since.is_some_and(is_old))
    }
    // ANCHOR_END: due

    /// How many bytes have been fetched and unpacked.
    pub fn moved(&self) -> u64 {
        let fetched = self.blobs.iter().map(|blob| blob.have);
        let unpacked = self.layers.iter().map(|layer| layer.read);
        fetched.chain(unpacked).fold(0, u64::wrapping_add)
    }
}

impl Layer {
    pub fn new(chain: Digest, diff_id: Digest, blob: usize, stage: Stage) -> Self {
        Self {
            chain,
            diff_id,
            blob,
            stage,
            directory: None,
            read: 0,
        }
    }

    pub fn store(&mut self) {
        self.stage = Stage::Stored;
        self.directory = None;
    }
}

impl Blob {
    pub fn store(&mut self) {
        self.stage = Stage::Stored;
        self.have = self.descriptor.size;
        // Whoever needs it now, opens it: an image may have more layers than a process may have open files.
        self.file = None;
    }
}

pub struct Job {
    pub store: Store,
    pub registry: Registry,
    pub board: Board,
}

pub struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

impl Board {
    pub fn new(blobs: Vec<Blob>, layers: Vec<Layer>) -> Self {
        let state = State {
            blobs,
            layers,
            finished: Vec::new(),
            since: None,
            failure: None,
            has_failed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: change
    /// Changes it, and wakes up whoever waits for that. Fails if the pull has failed.
    pub fn change(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut state = self.look();
        change(&mut state);
        self.changed.notify_all();
        ensure!(!state.has_failed, "another layer has failed");
        Ok(())
    }

    /// Waits for `found`. Fails if the pull has failed.
    pub fn wait_for<T>(&self, found: impl Fn(&State) -> Option<T>) -> Result<T> {
        let mut state = self.look();
        loop {
            ensure!(!state.has_failed, "another layer has failed");
            if let Some(found) = found(&state) {
                return Ok(found);
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
    // ANCHOR_END: change

    /// Hands over what is complete. Each of them is open until it has its name, so not too many may wait for that.
    pub fn finish(&self, finished: Finished) -> Result<()> {
        self.wait_for(|state| (state.finished.len() < MOST_FINISHED).then_some(()))?;
        self.change(|state| {
            match &finished {
                Finished::Blob(index, _) => state.blobs[*index].stage = Stage::Complete,
                Finished::Layer(index, unfinished) => {
                    let layer = &mut state.layers[*index];
                    layer.stage = Stage::Complete;
                    layer.directory = Some(unfinished.open());
                }
            }
            state.finished.push(finished);
            state.since.get_or_insert_with(Instant::now);
        })
    }

    /// Gives it its name. Call [`crate::image::store::Store::sync`] before.
    pub fn store(&self, finished: Finished) -> Result<()> {
        match finished {
            Finished::Blob(index, partial) => {
                partial.keep()?;
                self.look().blobs[index].store();
            }
            Finished::Layer(index, unfinished) => {
                unfinished.keep()?;
                self.look().layers[index].store();
            }
        }
        self.changed.notify_all();
        Ok(())
    }

    /// Ends the pull. The first error is the one that counts: others follow from it.
    pub fn fail(&self, error: Error) {
        self.look().failure.get_or_insert(error);
        self.stop();
    }

    /// Whoever looks at it from now on gives up.
    pub fn stop(&self) {
        self.look().has_failed = true;
        self.changed.notify_all();
    }

    /// Waits until some blobs and layers should get their names, but not longer than `most`. None: all of them have.
    pub fn finished(&self, most: Duration) -> Result<Option<Vec<Finished>>> {
        let is_quiet = |state: &mut State| {
            let is_over = state.has_failed || state.are_all(Stage::Stored);
            !is_over && !state.is_due()
        };
        let waited = self.changed.wait_timeout_while(self.look(), most, is_quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.failure.take() {
            return Err(error);
        }
        if state.are_all(Stage::Stored) {
            return Ok(None);
        }
        if !state.is_due() {
            return Ok(Some(Vec::new()));
        }
        state.since = None;
        Ok(Some(take(&mut state.finished)))
    }

    // ANCHOR: below
    /// Waits until the lowest `count` layers are complete. Those without a name yet come with their directories.
    pub fn below(&self, count: usize) -> Result<Vec<(Digest, Option<Arc<File>>)>> {
        self.wait_for(|state| {
            let below = &state.layers[..count];
            let complete = below.iter().all(|layer| layer.stage >= Stage::Complete);
            let found = |layer: &Layer| (layer.chain, layer.directory.clone());
            complete.then(|| below.iter().map(found).collect())
        })
    }
    // ANCHOR_END: below
}
