//! One blob: fetched, checked and written to the disk at the same time.

use std::fmt::{self, Display, Formatter};
use std::io::{Read, Seek, Write};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::image::digest::{Digest, Hashing};
use crate::image::manifest::{Descriptor, MOST};
use crate::image::pull::board::{Finished, Job, Stage};
use crate::image::pull::body::Body;
use crate::image::registry::Registry;
use crate::image::store::Store;
use crate::image::store::blob::Partial;

/// How much is read at once, in bytes.
const BLOCK: usize = 128 << 10;

/// The registry does not send it, or not now. What has arrived stays, for the next pull.
#[derive(Debug)]
pub struct Broken(String);

impl Display for Broken {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "cannot fetch {}", self.0)
    }
}

/// All of a configuration, which is in the store then.
pub fn small(store: &Store, registry: &Registry, descriptor: &Descriptor) -> Result<Vec<u8>> {
    ensure!(
        descriptor.size <= MOST,
        "the configuration is larger than {MOST} bytes"
    );
    if let Some(partial) = store.begin_blob(&descriptor.digest)? {
        let (mut body, mut bytes) = (Body::new(registry, descriptor, 0), Vec::new());
        let read = body.read_to_end(&mut bytes);
        let read = read.with_context(|| Broken(descriptor.digest.short()));
        match read.and_then(|_| check(Digest::of(&bytes), descriptor)) {
            Ok(()) => partial.fill(&bytes)?,
            Err(error) => {
                partial.discard()?;
                return Err(error);
            }
        }
    }
    store.read_blob(descriptor)
}

// ANCHOR: one
/// Fetches a blob of the image, unless another pull does.
pub fn one(job: &Job, index: usize) -> Result<()> {
    let descriptor = job.board.look().blobs[index].descriptor.clone();
    let Some(mut partial) = job.store.begin_blob(&descriptor.digest)? else {
        return job.board.change(|state| state.blobs[index].store());
    };
    if partial.have > descriptor.size {
        partial.clear()?;
    }
    let leftover = partial.have > 0;
    let mut digest = copy(job, index, &descriptor, &mut partial)?;
    if digest != descriptor.digest && leftover {
        // Perhaps the power has failed before it was on the disk.
        partial.clear()?;
        digest = copy(job, index, &descriptor, &mut partial)?;
    }
    check(digest, &descriptor)?;
    let file = Arc::new(
        partial
            .file
            .try_clone()
            .context("cannot copy a descriptor")?,
    );
    job.board
        .change(|state| state.blobs[index].file = Some(file))?;
    job.board.finish(Finished::Blob(index, partial))
}

/// Copies what is missing, and returns the digest of all of it.
fn copy(job: &Job, index: usize, descriptor: &Descriptor, partial: &mut Partial) -> Result<Digest> {
    let broken = || Broken(descriptor.digest.short());
    let file = partial
        .file
        .try_clone()
        .context("cannot copy a descriptor")?;
    (&file).rewind().context("cannot read what is there")?;
    job.board.change(|state| {
        let blob = &mut state.blobs[index];
        (blob.stage, blob.have) = (Stage::Moving, 0);
        // What somebody has left behind may be damaged.
        blob.file = (partial.have == 0).then(|| Arc::new(file));
    })?;
    let mut file = &partial.file;
    let there = file.take(partial.have);
    let rest = Body::new(&job.registry, descriptor, partial.have);
    let mut all = Hashing::new(there.chain(rest));
    let mut buffer = vec![0; BLOCK];
    loop {
        let count = all.read(&mut buffer).with_context(broken)?;
        if count == 0 {
            return Ok(all.digest());
        }
        if all.size > partial.have {
            let written = file.write_all(&buffer[..count]);
            written.context("cannot write to the store")?;
        }
        job.board
            .change(|state| state.blobs[index].have = all.size)?;
    }
}
// ANCHOR_END: one

fn check(digest: Digest, descriptor: &Descriptor) -> Result<()> {
    ensure!(
        digest == descriptor.digest,
        "{} is damaged: what the registry sends is {}",
        descriptor.digest.short(),
        digest.short()
    );
    Ok(())
}
