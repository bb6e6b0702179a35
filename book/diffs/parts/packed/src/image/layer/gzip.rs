//! gzip, RFC 1952: one member after another, as pigz and stargz write them.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// The logarithm of the largest window.
const WINDOW: u8 = 15;

pub struct Gzip<R> {
    blob: R,
    inflate: Decompress,
    in_member: bool,
}

impl<R> Gzip<R> {
    pub fn new(blob: R) -> Self {
        Self {
            blob,
            inflate: Decompress::new_gzip(WINDOW),
            in_member: false,
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.blob.fill_buf()?;
            match (input, self.in_member) {
                ([], false) => return Ok(0),
                ([], true) => return Err(ErrorKind::UnexpectedEof.into()),
                // gzip(1) accepts zeros after the last member. We cannot know yet which one that is, and accept them
                // after each.
                ([0, ..], false) => {
                    self.blob.consume(1);
                    continue;
                }
                (_, false) => {
                    self.inflate.reset(true);
                    self.in_member = true;
                }
                (_, true) => (),
            }
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, buffer, FlushDecompress::None);
            let status = status.map_err(|_| io::Error::other("the gzip data is damaged"))?;
            self.blob.consume((self.inflate.total_in() - read) as usize);
            self.in_member = status != Status::StreamEnd;
            let written = (self.inflate.total_out() - written) as usize;
            if written > 0 || buffer.is_empty() {
                return Ok(written);
            }
        }
    }
}
