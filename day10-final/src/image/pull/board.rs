//! What the threads of a pull know of each other: how far each blob and each layer is, and whether something has failed.

use std::mem::take;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, ensure};

use crate::image::manifest::Descriptor;
use crate::image::registry::Registry;
use crate::image::store::Store;
use crate::image::store::blob::Partial;

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
}

/// What is complete, and needs its name.
pub enum Finished {
    Blob(usize, Partial),
}

pub struct State {
    pub blobs: Vec<Blob>,
    finished: Vec<Finished>,
    /// When the first of them was.
    since: Option<Instant>,
    failure: Option<Error>,
    pub has_failed: bool,
}

impl State {
    /// Whether all blobs and layers are at least at `stage`.
    fn are_all(&self, stage: Stage) -> bool {
        let mut blobs = self.blobs.iter().map(|blob| blob.stage);
        blobs.all(|one| one >= stage)
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
        fetched.fold(0, u64::wrapping_add)
    }
}

impl Blob {
    pub fn store(&mut self) {
        self.stage = Stage::Stored;
        self.have = self.descriptor.size;
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
    pub fn new(blobs: Vec<Blob>) -> Self {
        let state = State {
            blobs,
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
}
