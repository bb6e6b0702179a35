//! `tmpcopyup`: a tmpfs begins with what its directory contained. podman wants it for `--tmpfs`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

/// How deep directories may be. Each level keeps two descriptors open.
const DEEPEST: usize = 200;

/// Copies what is in the directory `from` to `to`. Neither has a path that anybody could change in between.
pub fn copy_up(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let from = directory(from.as_fd(), ".")?;
    let to = directory(to.as_fd(), ".")?;
    copy(&from, &to, 0).context("tmpcopyup")
}

fn directory(at: BorrowedFd, name: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

fn copy(from: &OwnedFd, to: &OwnedFd, depth: usize) -> Result<()> {
    ensure!(depth < DEEPEST, "directories are too deep");
    let mut entries = Dir::from_fd(directory(from.as_fd(), ".")?)?;
    let names: Vec<_> = entries
        .iter()
        .flatten()
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| name.as_bytes() != b"." && name.as_bytes() != b"..")
        .collect();
    for name in names {
        let name = name.as_c_str();
        let there = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let mode = Mode::from_bits_truncate(there.st_mode & 0o7777);
        match SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFDIR => {
                mkdirat(to, name, Mode::from_bits_truncate(0o700))?;
                let flags =
                    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let [inner, outer] = [from, to].map(|at| openat(at, name, flags, Mode::empty()));
                copy(&inner?, &outer?, depth + 1)?;
            }
            SFlag::S_IFLNK => symlinkat(readlinkat(from, name)?.as_os_str(), to, name)?,
            SFlag::S_IFREG => {
                // By now it may be a FIFO, which would keep us waiting.
                let flags =
                    OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
                let mut source = File::from(openat(from, name, flags, Mode::empty())?);
                ensure!(
                    source.metadata()?.is_file(),
                    "a file has become something else"
                );
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                let new = openat(to, name, flags, Mode::from_bits_truncate(0o600))?;
                io::copy(&mut source, &mut File::from(new))?;
            }
            // A socket or a FIFO would have nobody at its other end, and a device needs no copy.
            _ => continue,
        }
        let (uid, gid) = (Uid::from_raw(there.st_uid), Gid::from_raw(there.st_gid));
        fchownat(to, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT != SFlag::S_IFLNK {
            fchmodat(to, name, mode, FchmodatFlags::FollowSymlink)?;
        }
    }
    Ok(())
}
