//! An entry of a tar archive. What its header of 1988 has no room for goes into records in front of it: pax(1), tar(5).

use std::io::{Read, Write};

use anyhow::Result;
use nix::sys::stat::{FileStat, major, minor};
use tar::{Builder, EntryType, Header};

/// The largest numbers that fit, in octal digits: of ids, and of sizes and times.
const MOST_IDS: u64 = 0o777_7777;
const MOST: u64 = 0o777_7777_7777;

pub struct Entry {
    header: Header,
    /// Keywords and values.
    records: Vec<(String, Vec<u8>)>,
}

impl Entry {
    /// With the owner, mode and time of what was `found`.
    pub fn new(kind: EntryType, path: &[u8], found: &FileStat) -> Self {
        let (header, records) = (Header::new_ustar(), Vec::new());
        let mut entry = Self { header, records };
        entry.header.set_entry_type(kind);
        entry.header.set_mode(found.st_mode & 0o7777);
        entry.has_size(0);
        let [user, group] = [("uid", found.st_uid), ("gid", found.st_gid)]
            .map(|(keyword, id)| entry.number(keyword, id.into(), MOST_IDS));
        entry.header.set_uid(user);
        entry.header.set_gid(group);
        entry.has_time(found.st_mtime, found.st_mtime_nsec);
        if !fill(&mut entry.header.as_old_mut().name, path) {
            entry.record("path", path.to_owned());
        }
        entry
    }

    /// Adds a record. Its `keyword` is one of pax(1), or one that others have invented, with their name in it.
    pub fn record(&mut self, keyword: &str, value: Vec<u8>) {
        self.records.push((keyword.to_owned(), value));
    }

    /// A link leads to `target`.
    pub fn leads_to(&mut self, target: &[u8]) {
        if !fill(&mut self.header.as_old_mut().linkname, target) {
            self.record("linkpath", target.to_owned());
        }
    }

    /// A device has a `number`.
    pub fn is_device(&mut self, number: u64) -> Result<()> {
        self.header.set_device_major(major(number) as u32)?;
        self.header.set_device_minor(minor(number) as u32)?;
        Ok(())
    }

    /// A file has a content of so many bytes.
    pub fn has_size(&mut self, size: u64) {
        let size = self.number("size", size, MOST);
        self.header.set_size(size);
    }

    fn has_time(&mut self, seconds: i64, nanoseconds: i64) {
        let in_header = u64::try_from(seconds).ok().filter(|time| *time <= MOST);
        self.header.set_mtime(in_header.unwrap_or_default());
        if in_header.is_none() || nanoseconds != 0 {
            // Before 1970, both count from the second before: half a second before it is -1 and 500,000,000.
            let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
            let sign = if total < 0 { "-" } else { "" };
            let (whole, rest) = (total.abs() / 1_000_000_000, total.abs() % 1_000_000_000);
            self.record("mtime", format!("{sign}{whole}.{rest:09}").into_bytes());
        }
    }

    /// What to write into the header for `number`: if it is more than `most`, it goes into a record.
    fn number(&mut self, keyword: &str, number: u64, most: u64) -> u64 {
        if number <= most {
            return number;
        }
        self.record(keyword, number.to_string().into_bytes());
        0
    }

    /// Writes it, and its `content`, which has the size that was said.
    pub fn append(mut self, tar: &mut Builder<impl Write>, content: impl Read) -> Result<()> {
        let records = self.records.iter();
        tar.append_pax_extensions(records.map(|(keyword, value)| (&keyword[..], &value[..])))?;
        self.header.set_cksum();
        Ok(tar.append(&self.header, content)?)
    }
}

/// Whether all of the `text` fits into the `field`. As much as fits is there for those who do not read records.
fn fill(field: &mut [u8], text: &[u8]) -> bool {
    let fits = text.len().min(field.len());
    field[..fits].copy_from_slice(&text[..fits]);
    fits == text.len()
}
