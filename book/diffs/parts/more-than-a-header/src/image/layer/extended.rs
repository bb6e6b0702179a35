//! What extended headers add to the header of an entry: pax(1), and what other programs have invented for it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use nix::sys::time::TimeSpec;

use crate::image::layer::number;

/// No extended header is larger, in bytes. It is in memory as a whole.
pub const MOST: u64 = 1 << 20;

/// Where GNU tar and libarchive keep extended attributes.
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

#[derive(Clone, Default)]
pub struct Extended {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<i64>,
    pub user: Option<i64>,
    pub group: Option<i64>,
    pub time: Option<TimeSpec>,
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    pub sparse: SparseRecords,
}

/// What GNU tar says about a file with holes, in one of three ways: see [`super::sparse`].
#[derive(Clone, Default)]
pub struct SparseRecords {
    pub major: Option<i64>,
    pub name: Option<Vec<u8>>,
    pub size: Option<i64>,
    pub map: Option<Vec<u8>>,
}

impl Extended {
    // ANCHOR: read
    /// Adds what the `records` of a pax header say. A record without a value takes back what a global header said.
    pub fn read(&mut self, mut records: &[u8]) -> Result<()> {
        while !records.is_empty() {
            let (record, rest) = split(records).context("its pax header is damaged")?;
            records = rest;
            let (key, value) = record;
            self.set(key, value)?;
        }
        let size = |(key, value): (&Vec<u8>, &Vec<u8>)| key.len() + value.len();
        match self.attributes.iter().map(size).sum::<usize>() as u64 > MOST {
            true => bail!("its attributes are too large"),
            false => Ok(()),
        }
    }
    // ANCHOR_END: read

    /// What may be large is for one entry only. Otherwise, a few bytes would say much about many.
    pub fn keep_small(&mut self) {
        self.attributes.clear();
        self.sparse = SparseRecords::default();
    }

    // ANCHOR: records
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let text = Some(value.to_vec()).filter(|value| !value.is_empty());
        let number = || match value.is_empty() {
            true => Ok(None),
            false => number::decimal(value).map(Some),
        };
        match key {
            b"path" => self.path = text,
            b"linkpath" => self.link = text,
            b"size" => self.size = number()?,
            b"uid" => self.user = number()?,
            b"gid" => self.group = number()?,
            b"mtime" => self.time = text.map(|text| number::time(&text)).transpose()?,
            b"GNU.sparse.major" => self.sparse.major = number()?,
            b"GNU.sparse.name" => self.sparse.name = text,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse.size = number()?,
            b"GNU.sparse.map" => self.sparse.map = text,
            // The oldest form repeats these two, once for each piece.
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                let map = self.sparse.map.get_or_insert_default();
                if !map.is_empty() {
                    map.push(b',');
                }
                map.extend(value);
            }
            _ => {
                if let Some(name) = key.strip_prefix(ATTRIBUTE) {
                    self.attributes.insert(name.to_vec(), value.to_vec());
                }
            }
        }
        Ok(())
    }
    // ANCHOR_END: records
}

type Record<'a> = (&'a [u8], &'a [u8]);

// ANCHOR: split
/// The first of the `records`: "LENGTH KEY=VALUE\n". Its value may be anything, even with line feeds in it.
fn split(records: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(((&record[..equals], &record[equals + 1..]), rest))
}
// ANCHOR_END: split
