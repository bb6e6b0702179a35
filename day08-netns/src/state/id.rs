//! Container ids: 12 hexadecimal digits, as Docker shows them. Everybody uses them.

use std::fmt::{self, Display, Formatter};
use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Id(String);

impl Id {
    /// A new one, from the kernel's random source: the last part of a random UUID has 12 digits, random(4).
    pub fn new() -> Result<Self> {
        let uuid =
            fs::read_to_string("/proc/sys/kernel/random/uuid").context("cannot generate an id")?;
        let id = uuid.trim().rsplit('-').next().and_then(Self::parse);
        id.context("cannot generate an id: the kernel's UUID is malformed")
    }

    /// `text`, if it is an id. Nothing else may become part of a path.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |b| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 12 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }
}

impl Display for Id {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}
