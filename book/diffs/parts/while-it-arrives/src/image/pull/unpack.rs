//! One layer: unpacked while its blob arrives, and while the layers below it are being unpacked.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail, ensure};

use crate::image::digest::Hashing;
use crate::image::layer::{self, Below};
use crate::image::manifest::Descriptor;
use crate::image::pull::board::{Board, Finished, Job, Stage};

// ANCHOR: one
/// Unpacks a layer of the image, unless another pull does.
pub fn one(job: &Job, index: usize) -> Result<()> {
    let (chain, diff_id, blob) = {
        let layer = &job.board.look().layers[index];
        (layer.chain, layer.diff_id, layer.blob)
    };
    let Some(unfinished) = job.store.begin_layer(&chain)? else {
        return job.board.change(|state| state.layers[index].store());
    };
    job.board
        .change(|state| state.layers[index].stage = Stage::Moving)?;
    let (arriving, descriptor) = open(job, index, blob)?;
    let media_type = &descriptor.media_type;
    let lower = Lower::new(job, index);
    let unpacked = layer::unpack(arriving, media_type, &lower, &unfinished.directory);
    // Only now is it known whether the layer is what its digest says. If not, that is the reason for all the rest.
    let checked = |blob: Stage| (blob >= Stage::Complete).then_some(blob);
    let stage = job
        .board
        .wait_for(|state| checked(state.blobs[blob].stage))?;
    let cannot = || format!("cannot unpack layer {}", descriptor.digest.short());
    match unpacked {
        Err(error) if stage == Stage::Stored => {
            check(job, &descriptor)?;
            Err(error).with_context(cannot)
        }
        Err(error) => Err(error).with_context(cannot),
        Ok(digest) => {
            ensure!(
                digest == diff_id,
                "{}: it contains {digest}, and the image says {diff_id}",
                cannot()
            );
            job.board.finish(Finished::Layer(index, unfinished))
        }
    }
}
// ANCHOR_END: one

/// If the disk has damaged the blob, that is what to say.
fn check(job: &Job, descriptor: &Descriptor) -> Result<()> {
    let mut blob = Hashing::new(job.store.open_blob(&descriptor.digest)?);
    io::copy(&mut blob, &mut io::sink()).context("cannot read the blob")?;
    if blob.digest() != descriptor.digest {
        bail!(job.store.damaged(&descriptor.digest));
    }
    Ok(())
}

// ANCHOR: arriving
/// A blob that is being written: reading waits for the writer.
struct Arriving<'a> {
    board: &'a Board,
    layer: usize,
    blob: usize,
    file: Arc<File>,
    position: u64,
    /// How far it can be read without waiting.
    have: u64,
}

/// Waits until the blob has begun to arrive.
fn open(job: &Job, layer: usize, blob: usize) -> Result<(Arriving<'_>, Descriptor)> {
    let (file, descriptor) = job.board.wait_for(|state| {
        let blob = &state.blobs[blob];
        let is_there = blob.file.is_some() || blob.stage == Stage::Stored;
        is_there.then(|| (blob.file.clone(), blob.descriptor.clone()))
    })?;
    let file = match file {
        Some(file) => file,
        None => Arc::new(job.store.open_blob(&descriptor.digest)?),
    };
    let board = &job.board;
    let (position, have) = (0, 0);
    let arriving = Arriving {
        board,
        layer,
        blob,
        file,
        position,
        have,
    };
    Ok((arriving, descriptor))
}

impl Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.have {
            let have = self.board.wait_for(|state| {
                let blob = &state.blobs[self.blob];
                let more = blob.have > self.position || blob.stage >= Stage::Complete;
                more.then_some(blob.have)
            });
            self.have = have.map_err(|error| io::Error::other(error.to_string()))?;
            self.board.look().layers[self.layer].read = self.position;
        }
        let left = usize::try_from(self.have - self.position).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..most], self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}
// ANCHOR_END: arriving

// ANCHOR: lower
/// The layers below. Most entries of an archive do not need them.
struct Lower<'a> {
    job: &'a Job,
    index: usize,
    found: OnceLock<(Vec<PathBuf>, Vec<Arc<File>>)>,
}

impl<'a> Lower<'a> {
    fn new(job: &'a Job, index: usize) -> Self {
        let found = OnceLock::new();
        Self { job, index, found }
    }

    fn find(&self) -> Result<(Vec<PathBuf>, Vec<Arc<File>>)> {
        let (mut paths, mut open) = (Vec::new(), Vec::new());
        for (chain, directory) in self.job.board.below(self.index)?.into_iter().rev() {
            paths.push(match directory {
                // Its path changes when it gets its name. This one does not, while it is open: proc_pid_fd(5).
                Some(directory) => {
                    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
                    open.push(directory);
                    path.into()
                }
                None => self.job.store.layer(&chain).context("a layer is gone")?,
            });
        }
        Ok((paths, open))
    }
}

impl Below for Lower<'_> {
    fn layers(&self) -> Result<&[PathBuf]> {
        if let Some((paths, _)) = self.found.get() {
            return Ok(paths);
        }
        let found = self.find()?;
        Ok(&self.found.get_or_init(|| found).0)
    }
}
// ANCHOR_END: lower
