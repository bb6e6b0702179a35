//! `logs --tail`: where the last lines of a file begin. pread(2).

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::str::FromStr;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

const BLOCK: u64 = 64 * 1024;

/// How much of a log to show: its last lines, or all of it.
#[derive(Clone, Copy)]
pub struct Lines(Option<u64>);

impl FromStr for Lines {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" | "all" => Ok(Self(None)),
            // As in Docker.
            _ if text.parse::<i64>().is_ok_and(|lines| lines < 0) => Ok(Self(None)),
            _ => text
                .parse()
                .map(|lines| Self(Some(lines)))
                .map_err(|_| "expected a number of lines, or all"),
        }
    }
}

impl Lines {
    // ANCHOR: seek
    /// Moves `file`, of which we show nothing after `end`, to where they begin.
    ///
    /// It reads backwards from the end, in blocks. What comes before is never read, and may be gigabytes.
    pub fn seek(self, file: &mut File, end: u64) -> io::Result<()> {
        let Some(lines) = self.0 else {
            return Ok(());
        };
        let start = if lines == 0 {
            end
        } else {
            start(file, lines, end)?
        };
        file.seek(SeekFrom::Start(start))?;
        Ok(())
    }
    // ANCHOR_END: seek
}

// ANCHOR: start
/// Where the last `lines` lines before `end` begin.
fn start(file: &File, mut lines: u64, end: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK as usize];
    let mut before = end;
    while before > 0 {
        let begin = before.saturating_sub(BLOCK);
        if !has_data(file, begin, before) {
            before = end_of_data(file, begin);
            continue;
        }
        // It may be less: somebody may have truncated the file meanwhile.
        let read = file.read_at(&mut block[..(before - begin) as usize], begin)?;
        for (place, byte) in block[..read].iter().enumerate().rev() {
            let behind = begin + place as u64 + 1;
            // A line break ends a line. After the one at the end of the file, no other line begins.
            if *byte == b'\n' && behind < end {
                lines -= 1;
                if lines == 0 {
                    return Ok(behind);
                }
            }
        }
        before = begin;
    }
    Ok(0)
}
// ANCHOR_END: start

/// The end of the last data before `end`, or at most a block later. A hole may have terabytes, so we bisect it.
fn end_of_data(file: &File, end: u64) -> u64 {
    let (mut low, mut high) = (0, end);
    while high - low > BLOCK {
        let middle = low + (high - low) / 2;
        match has_data(file, middle, end) {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// Whether anything between the two has been written: lseek(2).
fn has_data(file: &File, from: u64, to: u64) -> bool {
    match lseek(file, from as i64, Whence::SeekData) {
        Err(errno) => errno != Errno::ENXIO,
        Ok(data) => (data as u64) < to,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// The last `lines` lines of a file with `text`.
    fn tail(text: &str, lines: &str) -> String {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let end = file.metadata().unwrap().len();
        Lines::from_str(lines)
            .unwrap()
            .seek(&mut file, end)
            .unwrap();
        let mut rest = String::new();
        file.read_to_string(&mut rest).unwrap();
        rest
    }

    #[test]
    fn the_last_lines_are_found() {
        for (text, lines, expected) in [
            ("", "3", ""),
            ("\n", "1", "\n"),
            ("\n\n\n", "2", "\n\n"),
            ("a", "1", "a"),
            ("a\n", "1", "a\n"),
            ("a\nb", "1", "b"),
            ("a\nb\n", "1", "b\n"),
            ("a\nb\nc\n", "2", "b\nc\n"),
            ("a\nb\nc\n", "3", "a\nb\nc\n"),
            ("a\nb\nc\n", "4", "a\nb\nc\n"),
            ("a\nb\nc\n", "18446744073709551615", "a\nb\nc\n"),
            ("a\nb\nc", "0", ""),
            ("a\nb\nc", "all", "a\nb\nc"),
            ("a\nb\nc", "-1", "a\nb\nc"),
            ("a\nb\nc", "", "a\nb\nc"),
        ] {
            assert_eq!(tail(text, lines), expected, "{lines} of {text:?}");
        }
    }

    #[test]
    fn a_line_may_begin_in_any_block() {
        let block = BLOCK as usize;
        for length in [
            block - 2,
            block - 1,
            block,
            block + 1,
            2 * block - 1,
            2 * block,
            5 * block,
        ] {
            let line = "x".repeat(length) + "\n";
            let text = line.repeat(3);
            assert_eq!(tail(&text, "1").len(), line.len(), "{length}");
            assert_eq!(tail(&text, "2").len(), 2 * line.len(), "{length}");
            assert_eq!(tail(&text, "3").len(), text.len(), "{length}");
        }
    }

    #[test]
    fn an_invalid_number_of_lines_is_refused() {
        for text in ["--1", "1.5", "ten", "18446744073709551616"] {
            assert!(Lines::from_str(text).is_err(), "{text}");
        }
    }
}
