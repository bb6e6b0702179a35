//! Bytes on their way from one file to another. read(2), write(2), poll(2).

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags};

/// In bytes: what a pipe accepts without making us wait, if it accepts anything, and the most that a terminal gives at
/// once. pipe(7)
pub const BUFFER: usize = 4096;

// ANCHOR: lane
/// One direction. It waits either for something to read, or for room to write it.
pub struct Lane {
    pub from: File,
    to: File,
    buffer: [u8; BUFFER],
    /// The part of the buffer that has not been written yet.
    rest: Range<usize>,
}

impl Lane {
    pub fn new(from: File, to: File) -> Self {
        Self {
            from,
            to,
            buffer: [0; BUFFER],
            rest: 0..0,
        }
    }

    /// Whether it is waiting to write.
    pub fn is_full(&self) -> bool {
        !self.rest.is_empty()
    }

    /// What it waits for.
    pub fn next(&self) -> PollFd<'_> {
        match self.is_full() {
            false => PollFd::new(self.from.as_fd(), PollFlags::POLLIN),
            true => PollFd::new(self.to.as_fd(), PollFlags::POLLOUT),
        }
    }

    /// Reads or writes, and returns whether it could. The end of the input is an error.
    pub fn step(&mut self) -> io::Result<bool> {
        let done = if self.is_full() {
            let written = self.to.write(&self.buffer[self.rest.clone()]);
            written.map(|length| self.rest.start += length)
        } else {
            match self.from.read(&mut self.buffer) {
                Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                read => read.map(|length| self.rest = 0..length),
            }
        };
        match done.map_err(|error| (error.kind(), error)) {
            Ok(()) => Ok(true),
            Err((ErrorKind::WouldBlock | ErrorKind::Interrupted, _)) => Ok(false),
            Err((_, error)) => Err(error),
        }
    }
}
// ANCHOR_END: lane

/// Another descriptor for the same file, with no buffer in between.
pub fn copy(file: impl AsFd) -> Result<File> {
    let fd = file.as_fd().try_clone_to_owned();
    Ok(fd.context("cannot copy a descriptor")?.into())
}
