//! The last steps for a file: its attributes, and closing it. They change no directory, and nothing waits for them, so
//! another thread takes them while this one creates the next files.

use std::fs::File;
use std::mem;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::{Context, Result};
use nix::sys::stat::FileStat;

use crate::image::layer::attributes::Attributes;
use crate::image::layer::entry::Entry;
use crate::image::layer::path::cannot_unpack;

/// How many files are handed over at once: waking up a thread takes longer than these steps. And how many times as many
/// may wait, since all of them are open.
const AT_ONCE: usize = 32;
const WAITING: usize = 2;

pub struct Written {
    file: File,
    is: FileStat,
    name: Vec<u8>,
    attributes: Attributes,
}

pub struct Finisher {
    files: Vec<Written>,
    to: SyncSender<Vec<Written>>,
}

/// The other end is for [`finish`].
pub fn new() -> (Finisher, Receiver<Vec<Written>>) {
    let (to, from) = sync_channel(WAITING);
    let files = Vec::new();
    (Finisher { files, to }, from)
}

impl Finisher {
    /// Adds `file`, which is like `is` since it was created, and has all of its content.
    pub fn add(&mut self, file: File, is: FileStat, entry: &Entry) -> Result<()> {
        self.files.push(Written {
            file,
            is,
            name: entry.name.clone(),
            attributes: entry.attributes.clone(),
        });
        // Extended attributes may be large, so not many of them wait.
        match self.files.len() < AT_ONCE && entry.attributes.extended.is_empty() {
            true => Ok(()),
            false => self.hand_over(),
        }
    }

    /// Hands over those that are left. Fails if the other thread has failed.
    pub fn hand_over(&mut self) -> Result<()> {
        let sent = self.to.send(mem::take(&mut self.files));
        sent.ok().context("cannot finish its files")
    }
}

/// Finishes files until there are no more.
pub fn finish(from: Receiver<Vec<Written>>) -> Result<()> {
    for one in from.into_iter().flatten() {
        let (file, attributes) = (one.file.as_fd(), &one.attributes);
        let changed = attributes.change(file, &one.is);
        let changed = changed.and_then(|()| attributes.set_time(file));
        changed.with_context(|| cannot_unpack(&one.name))?;
    }
    Ok(())
}
