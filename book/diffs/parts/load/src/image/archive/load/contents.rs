//! What an archive with images contains. We may be reading from a pipe, in which the list of the images comes last, so
//! everything waits on the disk, in the store's room for what is not complete.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::ffi::OsStr;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::failure::shown;
use crate::image::archive::{BLOBS, path};
use crate::image::layer::archive::Archive;
use crate::image::layer::entry::{Entry, Kind};
use crate::image::layer::path::clean;
use crate::image::manifest::{Descriptor, MOST};
use crate::image::store::Store;
use crate::image::store::spool::{Spool, Spooled};

/// How many entries an archive may have, and how long their paths may be, in bytes. An image of 500 layers needs 2,000.
const ENTRIES: usize = 32 * 1024;
const LONGEST: usize = 512;

/// How many links may be in a row.
const LINKS: usize = 8;

/// How many bytes we read behind the end, which is zeros. An archive may be an endless stream.
const BEHIND: u64 = 1 << 20;

pub struct Contents<'a>(BTreeMap<PathBuf, Content<'a>>);

enum Content<'a> {
    File(Spooled<'a>),
    /// It leads to another path in the archive. Docker writes a layer that occurs twice only once.
    Link(PathBuf),
}

impl<'a> Contents<'a> {
    // ANCHOR: read
    /// Reads all of the `archive`. Whatever could mean different things to different readers is refused.
    pub fn read(archive: impl BufRead, store: &'a Store) -> Result<Self> {
        let mut archive = Archive::new(archive);
        let mut contents = Self(BTreeMap::new());
        let mut entries = 0;
        while let Some(entry) = Entry::next(&mut archive)? {
            entries += 1;
            ensure!(entries <= ENTRIES, "it has more than {ENTRIES} entries");
            let name = shown(&String::from_utf8_lossy(&entry.name));
            let added = contents.add(entry, &mut archive, store);
            added.with_context(|| format!("cannot read {name}"))?;
        }
        // If it is compressed, what is at its end says whether it is complete.
        io::copy(&mut archive.end().take(BEHIND), &mut io::sink())?;
        Ok(contents)
    }
    // ANCHOR_END: read

    // ANCHOR: add
    fn add(
        &mut self,
        entry: Entry,
        archive: &mut Archive<impl BufRead>,
        store: &'a Store,
    ) -> Result<()> {
        let Entry { path, kind, .. } = entry;
        ensure!(path.as_os_str().len() <= LONGEST, "its path is too long");
        let content = match kind {
            Kind::Directory => return Ok(()),
            Kind::File(size, None) => {
                let mut file = Spool::new(store)?;
                archive.copy(size, &mut file)?;
                Content::File(file.finish())
            }
            Kind::Link(target) => {
                let parent = path.parent().unwrap_or(Path::new(""));
                Content::Link(inside(parent, &target)?)
            }
            Kind::Hard(target) => Content::Link(target),
            _ => bail!("an archive of images has no such files"),
        };
        check_digest(&path, &content)?;
        match self.0.entry(path) {
            Place::Vacant(place) => drop(place.insert(content)),
            Place::Occupied(before) => {
                let same = match (before.get(), &content) {
                    (Content::File(before), Content::File(now)) => before.digest == now.digest,
                    (Content::Link(before), Content::Link(now)) => before == now,
                    _ => false,
                };
                ensure!(same, "it is there twice, and not the same");
            }
        }
        Ok(())
    }
    // ANCHOR_END: add

    /// The file at `path`, or at the end of the links there.
    pub fn find(&self, path: &str) -> Result<&Spooled<'a>> {
        let cannot = || format!("cannot read {}", shown(path));
        let mut at = &clean(path.as_bytes()).with_context(cannot)?;
        for _ in 0..LINKS {
            match self
                .0
                .get(at)
                .context("it is missing")
                .with_context(cannot)?
            {
                Content::File(file) => return Ok(file),
                Content::Link(target) => at = target,
            }
        }
        bail!("{}: too many links", cannot())
    }

    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(Path::new(path))
    }

    /// All of a small file.
    pub fn text(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.find(path)?;
        let read = || -> Result<Vec<u8>> {
            ensure!(file.size <= MOST, "it is too large");
            let mut text = Vec::new();
            file.open()?.take(MOST).read_to_end(&mut text)?;
            Ok(text)
        };
        read().with_context(|| format!("cannot read {}", shown(path)))
    }

    /// The file that `blob` describes. Its digest has been checked.
    pub fn blob(&self, blob: &Descriptor) -> Result<&Spooled<'a>> {
        let file = self.find(&path(&blob.digest))?;
        ensure!(
            file.size == blob.size,
            "{} has {} bytes, and not {}",
            blob.digest,
            file.size,
            blob.size
        );
        Ok(file)
    }
}

// ANCHOR: check_digest
/// In an image layout, a file's name says what is in it.
fn check_digest(path: &Path, content: &Content) -> Result<()> {
    let Ok(name) = path.strip_prefix(BLOBS) else {
        return Ok(());
    };
    match content {
        Content::File(file) if name == Path::new(&file.digest.hex()) => Ok(()),
        Content::File(file) => bail!("it is something else: {}", file.digest),
        Content::Link(_) => bail!("a blob is not a link"),
    }
}

/// Where a link in the directory `from` leads, in the archive.
fn inside(from: &Path, target: &OsStr) -> Result<PathBuf> {
    let target = target.as_bytes();
    ensure!(
        !target.starts_with(b"/"),
        "it is a link that leads out of the archive"
    );
    clean(&[from.as_os_str().as_bytes(), b"/", target].concat())
        .context("it is a link that leads out of the archive")
}
// ANCHOR_END: check_digest
