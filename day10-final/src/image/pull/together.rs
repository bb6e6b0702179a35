//! The blobs and layers of an image, side by side: some are fetched while others are unpacked.
//!
//! Nothing waits for what waits for itself: a blob is fetched whether or not anybody unpacks it, the lower layers come
//! first, and what is complete gets its name at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::image::pull::board::{Job, Stage};
use crate::image::pull::fetch::{self, Broken};
use crate::image::pull::progress::Output;
use crate::image::pull::unpack;
use crate::image::store::Store;

/// How many blobs are fetched, and how many layers are unpacked, at the same time. Docker's numbers are 3 and 1.
const AT_ONCE: usize = 3;

/// How often to show how far it is.
const PERIOD: Duration = Duration::from_millis(100);

/// How often to tell other pulls that this one gets on.
const BEAT: Duration = Duration::from_secs(1);

// ANCHOR: run
/// Fetches and unpacks whatever is not in the store yet. If that fails, threads go on until the process ends.
pub fn run(job: Job, output: &mut Output) -> Result<Store> {
    let job = Arc::new(job);
    let (blobs, layers) = {
        let state = job.board.look();
        output.show(&state);
        let waiting = |stage: Stage| stage == Stage::Waiting;
        let blobs = (0..state.blobs.len()).filter(|index| waiting(state.blobs[*index].stage));
        let layers = (0..state.layers.len()).filter(|index| waiting(state.layers[*index].stage));
        (blobs.collect(), layers.collect())
    };
    let mut threads = start(&job, blobs, fetch::one)?;
    threads.extend(start(&job, layers, unpack::one)?);
    let outcome = watch(&job, output);
    output.end();
    if let Err(error) = outcome {
        job.board.stop();
        if !error.is::<Broken>() {
            forget(&job);
        }
        return Err(error);
    }
    for thread in threads {
        let _ = thread.join();
    }
    let job = Arc::into_inner(job).context("a thread has not ended")?;
    Ok(job.store)
}

/// Gives what is complete its name. Then the disk has it, even if the power fails.
fn watch(job: &Job, output: &mut Output) -> Result<()> {
    let (mut beaten, mut before) = (Instant::now(), 0);
    while let Some(finished) = job.board.finished(PERIOD)? {
        if !finished.is_empty() {
            job.store.sync()?;
        }
        for one in finished {
            job.board.store(one)?;
        }
        output.pass_on();
        let moved = output.show(&job.board.look());
        if moved != before && beaten.elapsed() >= BEAT {
            job.store.beat();
            (beaten, before) = (Instant::now(), moved);
        }
    }
    output.show(&job.board.look());
    Ok(())
}
// ANCHOR_END: run

// ANCHOR: start
/// Starts threads that do `one` job of `all` after the other, in their order.
fn start(
    job: &Arc<Job>,
    all: Vec<usize>,
    one: fn(&Job, usize) -> Result<()>,
) -> Result<Vec<JoinHandle<()>>> {
    let count = AT_ONCE.min(all.len());
    let all = Arc::new(Mutex::new(all.into_iter()));
    let start = |_| {
        let (job, all) = (Arc::clone(job), Arc::clone(&all));
        let next = move || all.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = move || {
            while let Some(index) = next().filter(|_| !job.board.look().has_failed) {
                // If it panics, that is an error: otherwise, everybody else would wait for it.
                let done = catch_unwind(AssertUnwindSafe(|| one(&job, index)));
                let done = done.unwrap_or_else(|_| Err(anyhow!("a thread has failed")));
                if let Err(error) = done {
                    return job.board.fail(error);
                }
            }
        };
        let thread = thread::Builder::new().spawn(work);
        thread.context("cannot start a thread")
    };
    (0..count).map(start).collect()
}
// ANCHOR_END: start

/// The image cannot be right, or the disk is full. So nothing of it stays.
fn forget(job: &Job) {
    for blob in &job.board.look().blobs {
        if [Stage::Moving, Stage::Complete].contains(&blob.stage) {
            job.store.forget(&blob.descriptor.digest);
        }
    }
}
