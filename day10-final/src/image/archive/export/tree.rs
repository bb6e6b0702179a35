//! A directory with everything in it, as a tar archive: tar(5).
//!
//! While we walk, a running container may exchange any file for another. So we open each one first, without following
//! a link, and then look at what is open: openat(2).

use std::collections::HashMap;
use std::fs::{self, File, ReadDir};
use std::io::{Read, Write, empty, repeat};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use tar::{Builder, EntryType};

use crate::failure::{shown, warn};
use crate::image::archive::export::entry::Entry;
use crate::image::archive::export::{sparse, xattr};

/// How many bytes of names we remember, in order to recognise hard links.
const REMEMBERED: usize = 32 << 20;

/// Writes the directory that is open as `root`, and everything below it, to `to`.
pub fn write<W: Write>(root: OwnedFd, to: W) -> Result<W> {
    open_more()?;
    let (tar, names) = (Builder::new(to), Names::default());
    let mut writer = Writer { tar, names };
    writer.walk(root)?;
    Ok(writer.tar.into_inner()?)
}

struct Writer<W: Write> {
    tar: Builder<W>,
    names: Names,
}

/// A directory on the way to where we are.
struct Level {
    directory: OwnedFd,
    rest: ReadDir,
    /// How much of the path leads here, with a slash at its end.
    length: usize,
}

impl<W: Write> Writer<W> {
    // ANCHOR: walk
    /// Without recursion: a container may nest directories more deeply than our stack is.
    fn walk(&mut self, root: OwnedFd) -> Result<()> {
        let filesystem = fstat(&root)?.st_dev;
        self.add(&root, b".")?;
        let mut path = Vec::new();
        let mut way = vec![Level::new(root, 0)?];
        while let Some(level) = way.last_mut() {
            path.truncate(level.length);
            let Some(entry) = level.rest.next() else {
                way.pop();
                continue;
            };
            let name = entry.context("cannot list a directory")?.file_name();
            path.extend(name.as_bytes());
            let cannot = || format!("cannot export /{}", shown(&String::from_utf8_lossy(&path)));
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let file = match openat(&level.directory, &*name, flags, Mode::empty()) {
                // It has been removed since it was listed.
                Err(Errno::ENOENT) => continue,
                file => file.with_context(cannot)?,
            };
            let found = fstat(&file).with_context(cannot)?;
            let is_directory = kind(&found) == SFlag::S_IFDIR;
            self.add(&file, &path).with_context(cannot)?;
            // Without overlayfs, something may be mounted here.
            if is_directory && found.st_dev == filesystem {
                way.push(Level::new(file, path.len() + 1).with_context(cannot)?);
                path.push(b'/');
            }
        }
        Ok(())
    }
    // ANCHOR_END: walk

    // ANCHOR: add
    /// Adds what is open as `file`, O_PATH. A socket has no place in an archive.
    fn add(&mut self, file: &OwnedFd, path: &[u8]) -> Result<()> {
        let found = fstat(file)?;
        let kind = match kind(&found) {
            SFlag::S_IFREG => EntryType::Regular,
            SFlag::S_IFDIR => EntryType::Directory,
            SFlag::S_IFLNK => EntryType::Symlink,
            SFlag::S_IFIFO => EntryType::Fifo,
            SFlag::S_IFCHR => EntryType::Char,
            SFlag::S_IFBLK => EntryType::Block,
            _ => return Ok(()),
        };
        let is_one_of_several = !kind.is_dir() && found.st_nlink > 1;
        if let Some(first) = is_one_of_several
            .then(|| self.names.first(&found, path))
            .flatten()
        {
            let mut entry = Entry::new(EntryType::Link, path, &found);
            entry.leads_to(first);
            return entry.append(&mut self.tar, empty());
        }
        let mut entry = match kind {
            EntryType::Directory => Entry::new(kind, &[path, b"/"].concat(), &found),
            _ => Entry::new(kind, path, &found),
        };
        for (name, value) in xattr::all(file)? {
            entry.record(&format!("SCHILY.xattr.{name}"), value);
        }
        match kind {
            EntryType::Symlink => entry.leads_to(readlinkat(file, "")?.as_bytes()),
            EntryType::Char | EntryType::Block => entry.is_device(found.st_rdev)?,
            EntryType::Regular => return self.add_content(entry, path, file, &found),
            _ => (),
        }
        entry.append(&mut self.tar, empty())
    }
    // ANCHOR_END: add

    fn add_content(
        &mut self,
        mut entry: Entry,
        path: &[u8],
        file: &OwnedFd,
        found: &FileStat,
    ) -> Result<()> {
        let mut options = File::options();
        // A container may hold a lease on it, fcntl(2): then this fails, and does not wait.
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let content = options.open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        let size = found.st_size as u64;
        if found.st_blocks * 512 < found.st_size
            && let Some(pieces) = sparse::pieces(&content, size)?
        {
            let content = sparse::content(&mut entry, path, content, size, pieces);
            return entry.append(&mut self.tar, content);
        }
        entry.has_size(size);
        // The size is written by now. If the file has shrunk since, the rest are zeros, as in GNU tar.
        entry.append(&mut self.tar, content.chain(repeat(0)).take(size))
    }
}

/// Each directory on the way stays open, twice. So we may need as many open files as we are allowed to have.
fn open_more() -> Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit(2) writes to the structure, and setrlimit(2) reads it.
    Errno::result(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above.
    Errno::result(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    Ok(())
}

impl Level {
    fn new(directory: OwnedFd, length: usize) -> Result<Self> {
        let rest = fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
        Ok(Self {
            directory,
            rest,
            length,
        })
    }
}

/// The first name of each file that has several.
#[derive(Default)]
struct Names {
    by_inode: HashMap<(u64, u64), Vec<u8>>,
    bytes: usize,
}

impl Names {
    /// The first name of the file `found`, unless that is `path`.
    fn first(&mut self, found: &FileStat, path: &[u8]) -> Option<&[u8]> {
        let inode = (found.st_dev, found.st_ino);
        if !self.by_inode.contains_key(&inode) {
            self.remember(inode, path);
            return None;
        }
        self.by_inode.get(&inode).map(Vec::as_slice)
    }

    fn remember(&mut self, inode: (u64, u64), path: &[u8]) {
        if self.bytes < REMEMBERED {
            self.by_inode.insert(inode, path.to_owned());
        } else if self.bytes - path.len() < REMEMBERED {
            warn(&anyhow!(
                "there are very many hard links: the rest of them become files"
            ));
        }
        self.bytes += path.len();
    }
}

fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
}
