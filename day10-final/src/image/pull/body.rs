//! The bytes of a blob, as if the connection to the registry never broke off: HTTP ranges, RFC 9110, section 14.

use std::io::{self, ErrorKind, Read};
use std::thread::sleep;
use std::time::Duration;

use crate::image::manifest::Descriptor;
use crate::image::registry::Registry;

/// How often in succession a connection may break off before anything has arrived.
const IN_VAIN: u32 = 3;

/// How often it may break off in all.
const BREAKS: u32 = 100;

/// Reads a blob from some position to its end.
pub struct Body<'a> {
    registry: &'a Registry,
    descriptor: &'a Descriptor,
    position: u64,
    stream: Option<Box<dyn Read + Send>>,
    in_vain: u32,
    breaks: u32,
}

impl<'a> Body<'a> {
    pub fn new(registry: &'a Registry, descriptor: &'a Descriptor, position: u64) -> Self {
        Self {
            registry,
            descriptor,
            position,
            stream: None,
            in_vain: 0,
            breaks: 0,
        }
    }

    // ANCHOR: go_on
    /// Asks for what is missing.
    fn go_on(&self) -> io::Result<Box<dyn Read + Send>> {
        let asked = self.registry.blob(self.descriptor, self.position);
        let (mut stream, start) = asked.map_err(|error| io::Error::other(format!("{error:#}")))?;
        let Some(known) = self.position.checked_sub(start) else {
            return Err(io::Error::other(
                "the registry sends another part of the blob",
            ));
        };
        // A registry that does not know ranges begins at the beginning.
        let skipped = io::copy(&mut stream.by_ref().take(known), &mut io::sink())?;
        match skipped == known {
            true => Ok(stream),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
    // ANCHOR_END: go_on

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.go_on()?,
        };
        match self.stream.insert(stream).read(buffer)? {
            0 => Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                format!(
                    "it has ended after {} of {} bytes",
                    self.position, self.descriptor.size
                ),
            )),
            count => Ok(count),
        }
    }
}

// ANCHOR: read
impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.descriptor.size.saturating_sub(self.position);
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        loop {
            match self.try_read(&mut buffer[..most]) {
                Ok(count) => {
                    self.position += count as u64;
                    self.in_vain = 0;
                    return Ok(count);
                }
                // What the registry says by itself would be the same again.
                Err(error) if error.kind() == ErrorKind::Other => return Err(error),
                Err(error) => {
                    self.stream = None;
                    self.in_vain += 1;
                    self.breaks += 1;
                    if self.in_vain > IN_VAIN || self.breaks > BREAKS {
                        return Err(error);
                    }
                    sleep(Duration::from_secs(u64::from(self.in_vain - 1)));
                }
            }
        }
    }
}
// ANCHOR_END: read
