//! The entries of a tar archive, one after another: v7, ustar, GNU, and pax. tar(5), pax(1).
//!
//! The crate tar knows where a header has its fields. Its own reader believes other sizes than most, and has no holes.

use std::cmp::min;
use std::io::{self, BufRead, Read, Write};

use anyhow::{Context, Result, bail, ensure};
use tar::Header;

use crate::image::layer::extended::{Extended, MOST};
use crate::image::layer::number;

/// Everything in an archive begins at a multiple of this, in bytes.
pub const BLOCK: usize = 512;

pub struct Archive<R> {
    blob: R,
    /// How many bytes are left of the current entry's data, and how many follow to the next block.
    rest: u64,
    padding: u64,
    /// What pax's global headers say, for all entries that follow.
    global: Extended,
}

/// What comes before an entry, and is about it.
pub struct About {
    pub extended: Extended,
    pub name: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
}

impl<R: BufRead> Archive<R> {
    pub fn new(blob: R) -> Self {
        let global = Extended::default();
        Self {
            blob,
            rest: 0,
            padding: 0,
            global,
        }
    }

    /// What is behind the last entry.
    pub fn end(self) -> R {
        self.blob
    }

    // ANCHOR: next
    /// The next entry's header. None if there are no more: a block of zeros, or the end.
    pub fn next(&mut self) -> Result<Option<(Header, About)>> {
        let mut about = About {
            extended: self.global.clone(),
            name: None,
            link: None,
        };
        while let Some(header) = self.header()? {
            match header.as_old().linkflag[0] {
                b'x' => about.extended.read(&self.extra(&header)?)?,
                b'g' => {
                    let records = self.extra(&header)?;
                    self.global.read(&records)?;
                    self.global.keep_small();
                    about.extended.read(&records)?;
                }
                // GNU tar's way to long names.
                b'L' => about.name = Some(text(&self.extra(&header)?)),
                b'K' => about.link = Some(text(&self.extra(&header)?)),
                _ => return Ok(Some((header, about))),
            }
        }
        Ok(None)
    }
    // ANCHOR_END: next

    // ANCHOR: header
    fn header(&mut self) -> Result<Option<Header>> {
        self.skip()?;
        let mut header = Header::new_old();
        let bytes = header.as_mut_bytes();
        let mut count = 0;
        while count < BLOCK {
            match self.blob.read(&mut bytes[count..])? {
                0 if count == 0 => return Ok(None),
                0 => bail!(CUT),
                more => count += more,
            }
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum = number::field(&header.as_old().cksum).ok().context(NO_TAR)?;
        ensure!(sums(header.as_bytes()).contains(&sum), NO_TAR);
        Ok(Some(header))
    }
    // ANCHOR_END: header

    /// Goes to the end of the current entry.
    fn skip(&mut self) -> Result<()> {
        self.copy(self.rest, &mut io::sink())?;
        let padding = self.padding;
        // The padding of the last entry may be missing.
        io::copy(&mut self.blob.by_ref().take(padding), &mut io::sink())?;
        self.padding = 0;
        Ok(())
    }

    /// From here on, `size` bytes are data.
    pub fn begin(&mut self, size: u64) {
        self.rest = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    /// The data of a header that is about the next entry.
    fn extra(&mut self, header: &Header) -> Result<Vec<u8>> {
        let size = number::field(&header.as_old().size)?;
        let size = u64::try_from(size).ok().filter(|size| *size <= MOST);
        let size = size.context("an extended header is too large")?;
        self.begin(size);
        let mut data = Vec::new();
        self.copy(size, &mut data)?;
        Ok(data)
    }

    /// Copies the next `count` bytes of the current entry's data.
    pub fn copy(&mut self, mut count: u64, to: &mut impl Write) -> Result<()> {
        while count > 0 {
            let block = self.blob.fill_buf()?;
            ensure!(!block.is_empty(), CUT);
            let length = min(block.len() as u64, count);
            to.write_all(&block[..length as usize])?;
            self.blob.consume(length as usize);
            self.rest -= length;
            count -= length;
        }
        Ok(())
    }

    /// How many bytes are left of the current entry's data.
    pub fn rest(&self) -> u64 {
        self.rest
    }

    /// A block that belongs neither to a header nor to data.
    pub fn block(&mut self) -> Result<[u8; BLOCK]> {
        self.begin(BLOCK as u64);
        self.data_block()
    }

    /// The next block of the current entry's data.
    pub fn data_block(&mut self) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        ensure!(self.rest >= BLOCK as u64, CUT);
        self.copy(BLOCK as u64, &mut &mut block[..])?;
        Ok(block)
    }
}

const NO_TAR: &str = "this is not a tar archive, or it is damaged";
const CUT: &str = "the archive ends too early";

/// The sum of a header's bytes, with spaces in place of the sum itself. Some old programs took them for signed.
fn sums(header: &[u8]) -> [i64; 2] {
    let others = || header[..148].iter().chain(&header[156..]);
    let spaces = 8 * i64::from(b' ');
    let unsigned = others().map(|byte| i64::from(*byte)).sum::<i64>();
    let signed = others().map(|byte| i64::from(*byte as i8)).sum::<i64>();
    [unsigned + spaces, signed + spaces]
}

/// The bytes before the first zero.
pub fn text(field: &[u8]) -> Vec<u8> {
    field
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default()
        .to_vec()
}
