//! How much may come out of a blob, so that a small one does not fill the disk, or keep us busy for hours. Its size is
//! what has been read of it, whatever somebody says about it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};

/// How many bytes may come out of any blob, and how many more out of each of its bytes. In images, a byte becomes 4 of
/// a program or 10 of a text; only zeros become 1000.
const BYTES: u64 = 256 << 20;
const FACTOR: u64 = 200;

/// How many things any layer may have, and how many bytes of the blob there are for each one more.
const THINGS: u64 = 1 << 16;
const PER_THING: u64 = 16;

/// How many names may be looked up for any layer. Each byte of the blob adds one.
const NAMES: u64 = 1 << 22;

/// Few paths have more bytes.
const USUAL_PATH: u64 = 64;

const TOO_MUCH: &str = "far more comes out of it than its size would let one expect";

/// How many bytes of a blob have been read so far.
pub type Count = Arc<AtomicU64>;

fn bytes(read: &Count) -> u64 {
    let read = read.load(Ordering::Relaxed);
    BYTES.saturating_add(read.saturating_mul(FACTOR))
}

pub struct Counted<R> {
    inner: R,
    count: Count,
}

impl<R> Counted<R> {
    pub fn new(inner: R, count: Count) -> Self {
        Self { inner, count }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What comes out of a blob.
pub struct Limited<R> {
    inner: R,
    blob: Count,
    written: u64,
}

impl<R> Limited<R> {
    pub fn new(inner: R, blob: Count) -> Self {
        Self {
            inner,
            blob,
            written: 0,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.written += count as u64;
        match self.written <= bytes(&self.blob) {
            true => Ok(count),
            false => Err(io::Error::other(TOO_MUCH)),
        }
    }
}

// ANCHOR: limits
/// What the layer of a blob has used up.
pub struct Limits {
    blob: Count,
    things: u64,
    names: u64,
    bytes: u64,
}

impl Limits {
    pub fn new(blob: Count) -> Self {
        Self {
            blob,
            things: 0,
            names: 0,
            bytes: 0,
        }
    }

    /// Something is about to be created.
    pub fn create(&mut self) -> Result<()> {
        self.things += 1;
        let most = THINGS + self.blob.load(Ordering::Relaxed) / PER_THING;
        ensure!(
            self.things <= most,
            "there are too many files in this layer"
        );
        Ok(())
    }

    /// A name is about to be looked up in the directory `here`. That takes longer if its path is long.
    pub fn look(&mut self, here: &Path) -> Result<()> {
        self.names += 1 + here.as_os_str().len() as u64 / USUAL_PATH;
        let most = NAMES.saturating_add(self.blob.load(Ordering::Relaxed));
        let cause = "there are too many directories and links on the way to its files";
        ensure!(self.names <= most, cause);
        Ok(())
    }

    /// Something will need `count` bytes of the disk that do not come out of the blob.
    pub fn write(&mut self, count: u64) -> Result<()> {
        self.bytes = self.bytes.saturating_add(count);
        ensure!(self.bytes <= bytes(&self.blob), TOO_MUCH);
        Ok(())
    }
}
// ANCHOR_END: limits
