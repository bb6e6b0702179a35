//! Where a path leads in a container whose links may be hostile: path_resolution(7), openat(2).

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

/// The kernel's own limit on links in a path, and more than any path needs.
const MOST_LINKS: usize = 40;

/// This is not part of the root filesystem, and nothing in the root filesystem may lead there.
const TAKEN: [&str; 1] = ["/proc"];

/// What to do if the path does not exist.
#[derive(Clone, Copy, PartialEq)]
pub enum Missing {
    Fail,
    MakeDirectory,
    MakeFile,
}

// ANCHOR: place
/// A place, open: it stays the same one, whatever happens to its path.
pub struct Place {
    pub fd: OwnedFd,
    /// The path that leads to it without any links.
    pub path: PathBuf,
}

/// Finds `path` in this process's root directory, which has to be the container's.
///
/// Each name is opened by itself, and we follow the links ourselves, as text. Those in /proc are refused: /proc/1/root,
/// for example, leads straight to the root directory of that process, whatever its text says.
pub fn find(path: &Path, missing: Missing) -> Result<Place> {
    let mut way = Vec::new();
    let (root, mut links) = (root()?, 0);
    let mut rest = names(path);
    while let Some(name) = rest.pop() {
        if name == ".." {
            way.pop();
            continue;
        }
        let here = way
            .last()
            .map_or(root.as_fd(), |(_, fd): &(_, OwnedFd)| fd.as_fd());
        let missing = match missing {
            Missing::MakeFile if !rest.is_empty() => Missing::MakeDirectory,
            _ => missing,
        };
        let found = step(here, &name, missing)?;
        if kind(&found)? != SFlag::S_IFLNK {
            way.push((name, found));
            continue;
        }
        links += 1;
        ensure!(links <= MOST_LINKS, Errno::ELOOP);
        let target = PathBuf::from(readlinkat(&found, "")?);
        if target.is_absolute() {
            let filesystem = fstatfs(&found)?.filesystem_type();
            ensure!(
                filesystem != PROC_SUPER_MAGIC,
                "links in /proc are not followed"
            );
            way.clear();
        }
        rest.extend(names(&target));
    }
    let path = Path::new("/").join(way.iter().map(|(name, _)| name).collect::<PathBuf>());
    let fd = way.pop().map_or(root, |(_, fd)| fd);
    Ok(Place { fd, path })
}

/// Opens `name` in the directory `here`, even if it is a link.
pub fn step(here: BorrowedFd, name: &OsStr, missing: Missing) -> nix::Result<OwnedFd> {
    let look = || {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(here, name, flags, Mode::empty())
    };
    let made = match (look(), missing) {
        (Err(Errno::ENOENT), Missing::MakeDirectory) => {
            mkdirat(here, name, Mode::from_bits_truncate(0o755)).and_then(|()| look())
        }
        (Err(Errno::ENOENT), Missing::MakeFile) => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
            openat(here, name, flags, Mode::from_bits_truncate(0o644))
        }
        (found, _) => return found,
    };
    match made {
        // Another container has been faster.
        Err(Errno::EEXIST) => look(),
        made => made,
    }
}
// ANCHOR_END: place

/// Finds `path`, to mount something there.
pub fn to_mount(path: &Path, missing: Missing) -> Result<Place> {
    let place = find(path, missing)?;
    match taken(&place.path) {
        None => Ok(place),
        Some(reason) => bail!(
            "it is a symbolic link to {}: {reason}",
            place.path.display()
        ),
    }
}

/// Why nothing can be mounted at `path`, or None if it can.
fn taken(path: &Path) -> Option<String> {
    let taken = TAKEN.iter().find(|taken| path.starts_with(taken))?;
    Some(format!("{taken} belongs to the container itself"))
}

// ANCHOR: directory
/// The directory `name` in the container's /. The root filesystem may have a link there, which is refused.
pub fn directory(name: &str, rootfs: &Path) -> Result<OwnedFd> {
    let found = step(root()?.as_fd(), name.as_ref(), Missing::MakeDirectory)
        .map_err(|errno| anyhow!("cannot create /{name}: {errno}"))?;
    let place = rootfs.join(name);
    match kind(&found)? {
        SFlag::S_IFDIR => Ok(found),
        SFlag::S_IFLNK => bail!(
            "cannot mount /{name}: {} is a symbolic link",
            place.display()
        ),
        _ => bail!(
            "cannot mount /{name}: {} is not a directory",
            place.display()
        ),
    }
}
// ANCHOR_END: directory

/// Opens a file in the container. It may be anything, but no link in /proc is followed.
pub fn open(path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC);
    openat2(
        AT_FDCWD,
        path,
        how.resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS),
    )
}

/// What is open as `fd`: a directory, a link, a device, …
pub fn kind(fd: impl AsFd) -> nix::Result<SFlag> {
    let mode = fstat(fd)?.st_mode;
    Ok(SFlag::from_bits_truncate(mode) & SFlag::S_IFMT)
}

fn root() -> nix::Result<OwnedFd> {
    open("/", OFlag::O_PATH | OFlag::O_DIRECTORY)
}

/// The names in `path`, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter(|part| match part {
        Component::Normal(_) | Component::ParentDir => true,
        Component::RootDir | Component::CurDir | Component::Prefix(_) => false,
    });
    names.map(|part| part.as_os_str().to_owned()).collect()
}
