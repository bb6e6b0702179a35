//! Bytes from the thread that decompresses to the one that hashes, and then to the one that unpacks, in blocks that go
//! round.

use std::io::{self, BufRead, ErrorKind, Read};
use std::mem;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// How many blocks there are, and how many bytes are in one.
const BLOCKS: usize = 6;
const BLOCK: usize = 128 << 10;

type Block = io::Result<Vec<u8>>;

/// The end into which one thread fills bytes.
pub struct Filler {
    full: SyncSender<Block>,
    empty: Receiver<Vec<u8>>,
}

/// The middle, where another one sees them on their way.
pub struct Middle {
    from: Receiver<Block>,
    to: SyncSender<Block>,
}

/// The end from which a third one takes them.
pub struct Blocks {
    full: Receiver<Block>,
    empty: Sender<Vec<u8>>,
    block: Vec<u8>,
    used: usize,
}

pub fn new() -> (Filler, Middle, Blocks) {
    let (full, from) = sync_channel(BLOCKS);
    let (to, seen) = sync_channel(BLOCKS);
    let (back, empty) = channel();
    // One more is what the other end begins with. It is empty, and grows when it is filled.
    for _ in 1..BLOCKS {
        let _ = back.send(Vec::with_capacity(BLOCK));
    }
    let blocks = Blocks {
        full: seen,
        empty: back,
        block: Vec::new(),
        used: 0,
    };
    (Filler { full, empty }, Middle { from, to }, blocks)
}

impl Middle {
    /// Shows each block to `see`, until there are no more, or nobody takes them.
    pub fn watch(self, mut see: impl FnMut(&[u8])) {
        for block in self.from {
            if let Ok(bytes) = &block {
                see(bytes);
            }
            if self.to.send(block).is_err() {
                break;
            }
        }
    }
}

impl Filler {
    /// Until there is nothing more, or nobody who takes it.
    pub fn fill(self, from: io::Result<impl Read>) {
        let mut from = match from {
            Ok(from) => from,
            Err(error) => return drop(self.full.send(Err(error))),
        };
        while let Ok(block) = self.empty.recv() {
            let block = fill(&mut from, block);
            let last = !matches!(&block, Ok(block) if !block.is_empty());
            if self.full.send(block).is_err() || last {
                break;
            }
        }
    }
}

fn fill(mut from: impl Read, mut block: Vec<u8>) -> io::Result<Vec<u8>> {
    block.resize(BLOCK, 0);
    let mut count = 0;
    while count < BLOCK {
        match from.read(&mut block[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    block.truncate(count);
    Ok(block)
}

impl BufRead for Blocks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.block.len() {
            let _ = self.empty.send(mem::take(&mut self.block));
            self.used = 0;
            // The other end is closed after the last block.
            self.block = self.full.recv().unwrap_or(Ok(Vec::new()))?;
        }
        Ok(&self.block[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
