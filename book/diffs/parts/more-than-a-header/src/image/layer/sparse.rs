//! Files with holes, in GNU tar's four ways: the type S, and the pax records of its versions 0.0, 0.1, and 1.0.
//! GNU tar's manual, "Storing Sparse Files".

use std::io::BufRead;

use anyhow::{Context, Result, bail, ensure};
use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use crate::image::layer::archive::Archive;
use crate::image::layer::extended::SparseRecords;
use crate::image::layer::number;

/// No file has more pieces. Their list is in memory as a whole.
const MOST: usize = 1 << 16;

const DAMAGED: &str = "the list of its holes is damaged";

// ANCHOR: pieces
/// Where the next data goes, and how many bytes there are; everything else is a hole.
pub struct Sparse {
    pub size: u64,
    pub pieces: Vec<(u64, u64)>,
}

impl Sparse {
    /// `numbers` are the offset and the length of each piece; all of them together have `stored` bytes.
    fn new(size: i64, numbers: &[i64], stored: u64) -> Result<Self> {
        ensure!(numbers.len().is_multiple_of(2), DAMAGED);
        let (mut end, mut sum) = (0, 0);
        let mut pieces = Vec::new();
        for pair in numbers.chunks(2) {
            let (offset, length) = (pair[0], pair[1]);
            ensure!(offset >= end && length >= 0, DAMAGED);
            end = offset.checked_add(length).context(DAMAGED)?;
            sum += length as u64;
            pieces.push((offset as u64, length as u64));
        }
        ensure!(end <= size && sum == stored, DAMAGED);
        let size = size as u64;
        Ok(Self { size, pieces })
    }
}
// ANCHOR_END: pieces

/// What the pax records of a file say about its holes. In the newest form, the list is in front of its data.
pub fn extended(
    records: &SparseRecords,
    archive: &mut Archive<impl BufRead>,
) -> Result<Option<Sparse>> {
    let numbers = match (records.major, &records.map) {
        (Some(1), _) => list(archive)?,
        (None | Some(0), Some(map)) => {
            let numbers = map.split(|byte| *byte == b',').take(2 * MOST);
            numbers.map(number::decimal).collect::<Result<_>>()?
        }
        _ => return Ok(None),
    };
    let size = records.size.context("its size is missing")?;
    Sparse::new(size, &numbers, archive.rest()).map(Some)
}

/// How many pieces there are, and their numbers, a line each. Zeros follow up to the next block.
fn list(archive: &mut Archive<impl BufRead>) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    let mut line = Vec::new();
    let mut most = 1;
    while numbers.len() < most {
        for byte in archive.data_block()? {
            match byte {
                b'0'..=b'9' if line.len() < 20 => line.push(byte),
                b'\n' if numbers.len() < most => {
                    numbers.push(number::decimal(&line)?);
                    line.clear();
                    most = 1 + 2 * usize::try_from(numbers[0])?.min(MOST + 1);
                }
                _ if numbers.len() == most => (),
                _ => bail!(DAMAGED),
            }
        }
    }
    ensure!(most <= 1 + 2 * MOST, "it has too many holes");
    Ok(numbers.split_off(1))
}

/// The type S: some pieces are in its header, others in blocks behind it. Its data, `stored` bytes, follows.
pub fn old(header: &Header, archive: &mut Archive<impl BufRead>, stored: u64) -> Result<Sparse> {
    let header = header.as_gnu().context("only GNU tar has this type")?;
    let mut numbers = Vec::new();
    add(&header.sparse, &mut numbers)?;
    let mut more = header.is_extended();
    while more {
        let mut block = GnuExtSparseHeader::new();
        *block.as_mut_bytes() = archive.block()?;
        add(&block.sparse, &mut numbers)?;
        more = block.is_extended();
    }
    Sparse::new(number::field(&header.realsize)?, &numbers, stored)
}

fn add(pieces: &[GnuSparseHeader], numbers: &mut Vec<i64>) -> Result<()> {
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        numbers.extend([
            number::field(&piece.offset)?,
            number::field(&piece.numbytes)?,
        ]);
    }
    ensure!(numbers.len() <= 2 * MOST, "it has too many holes");
    Ok(())
}
