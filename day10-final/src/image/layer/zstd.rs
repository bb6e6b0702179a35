//! zstd, RFC 8878: one frame after another, and frames to skip.

use std::io::{self, BufRead, ErrorKind, Read};

use anyhow::Result;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How far back data may refer, in bytes: we keep as much in memory. The RFC recommends the first; zstd(1) needs more
/// from level 20 on, and so did Docker at times.
const WINDOW: u64 = 8 << 20;
const LARGE_WINDOW: u64 = 32 << 20;

pub struct Zstd<R, F> {
    blob: R,
    decoder: FrameDecoder,
    turn: F,
}

impl<R, F> Zstd<R, F> {
    /// Before it takes a large window, it waits for its `turn`.
    pub fn new(blob: R, turn: F) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Self {
            blob,
            decoder,
            turn,
        }
    }
}

impl<R: BufRead, F: Fn() -> Result<()>> Zstd<R, F> {
    /// Begins the next frame, unless it is one to skip.
    fn begin(&mut self) -> io::Result<()> {
        let mut header = Vec::new();
        let blob = Recorded(&mut self.blob, &mut header);
        match self.decoder.reset(blob) {
            Err(FrameDecoderError::WindowSizeTooBig { requested, .. })
                if requested <= LARGE_WINDOW =>
            {
                (self.turn)().map_err(io::Error::other)?;
                self.decoder.set_max_window_size(LARGE_WINDOW);
                self.decoder.reset(&header[..]).map_err(damaged)
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let mut frame = self.blob.by_ref().take(length.into());
                match io::copy(&mut frame, &mut io::sink())? == u64::from(length) {
                    true => Ok(()),
                    false => Err(ErrorKind::UnexpectedEof.into()),
                }
            }
            Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                let window = requested >> 20;
                let reason =
                    format!("its zstd data needs {window} MiB of memory, which is too much");
                Err(io::Error::other(reason))
            }
            begun => begun.map_err(damaged),
        }
    }
}

impl<R: BufRead, F: Fn() -> Result<()>> Read for Zstd<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() && self.decoder.can_collect() == 0 {
            if !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.blob, one);
                decoded.map_err(damaged)?;
            } else if self.blob.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.begin()?;
            }
        }
        self.decoder.read(buffer)
    }
}

/// What is read from the first is also in the second.
struct Recorded<'a, R>(&'a mut R, &'a mut Vec<u8>);

impl<R: Read> Read for Recorded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.extend(&buffer[..count]);
        Ok(count)
    }
}

/// Why it cannot be decoded. If reading has failed, that is the reason.
fn damaged(error: FrameDecoderError) -> io::Error {
    let error = anyhow::Error::from(error);
    let reading = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    match reading.map(|error| (error.kind(), error.to_string())) {
        Some((ErrorKind::UnexpectedEof, _)) => ErrorKind::UnexpectedEof.into(),
        Some((kind, reason)) => io::Error::new(kind, reason),
        None => io::Error::other("the zstd data is damaged"),
    }
}
