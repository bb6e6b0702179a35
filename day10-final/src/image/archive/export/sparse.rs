//! Files with holes, such as /var/log/lastlog: an archive need not have the zeros. lseek(2), and GNU tar's manual,
//! "Storing Sparse Files", version 1.0.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use crate::image::archive::export::entry::Entry;

/// A file with more pieces is written as a whole: their list is in memory, here and where the archive is read.
const MOST: usize = 1 << 16;

/// The headers of an archive have blocks of this size, and so has the list.
const BLOCK: usize = 512;

/// The offset and the length of each piece of data in the `file`. None if there are no holes.
pub fn pieces(file: &File, size: u64) -> nix::Result<Option<Vec<(u64, u64)>>> {
    let mut pieces = Vec::new();
    let mut end = 0;
    while end < size {
        let start = match lseek(file, end as i64, Whence::SeekData) {
            // The rest is a hole.
            Err(Errno::ENXIO) => break,
            start => start? as u64,
        };
        if start >= size {
            break;
        }
        let hole = match lseek(file, start as i64, Whence::SeekHole) {
            // It has just been truncated.
            Err(Errno::ENXIO) => size,
            hole => hole? as u64,
        };
        end = hole.clamp(start + 1, size);
        pieces.push((start, end - start));
        if pieces.len() > MOST {
            return Ok(None);
        }
    }
    if end < size {
        // Otherwise, GNU tar would forget the hole at the end.
        pieces.push((size, 0));
    }
    Ok((pieces != [(0, size)]).then_some(pieces))
}

/// Says in the `entry` that the file at `path` has holes, and returns its content: the list of `pieces`, and their data.
pub fn content(
    entry: &mut Entry,
    path: &[u8],
    file: File,
    size: u64,
    pieces: Vec<(u64, u64)>,
) -> impl Read + use<> {
    let mut list = format!("{}\n", pieces.len());
    for (start, length) in &pieces {
        list += &format!("{start}\n{length}\n");
    }
    let mut list = list.into_bytes();
    list.resize(list.len().next_multiple_of(BLOCK), 0);
    entry.record("GNU.sparse.major", b"1".to_vec());
    entry.record("GNU.sparse.minor", b"0".to_vec());
    entry.record("GNU.sparse.name", path.to_vec());
    entry.record("GNU.sparse.realsize", size.to_string().into_bytes());
    let data: u64 = pieces.iter().map(|(_, length)| length).sum();
    entry.has_size(list.len() as u64 + data);
    io::Cursor::new(list).chain(Pieces {
        file,
        pieces,
        next: 0,
        done: 0,
    })
}

/// Reads one piece after the other.
struct Pieces {
    file: File,
    pieces: Vec<(u64, u64)>,
    next: usize,
    /// How much of the next one has been read.
    done: u64,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((start, length)) = self.pieces.get(self.next) else {
            return Ok(0);
        };
        let most = buffer.len().min((length - self.done) as usize);
        let mut count = self.file.read_at(&mut buffer[..most], start + self.done)?;
        if count == 0 {
            // It has shrunk since, and the size is written by now.
            buffer[..most].fill(0);
            count = most;
        }
        self.done += count as u64;
        if self.done == *length {
            (self.next, self.done) = (self.next + 1, 0);
        }
        Ok(count)
    }
}
