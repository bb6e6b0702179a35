//! How others get to know a process that we have started, and get at what it has open: pidfd_getfd(2).

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::state::pidfd::PidFd;

/// Writes `pid` to the file that `--pid-file` names. It is complete or absent.
pub fn write(pid: Pid, file: &Path) -> Result<()> {
    let name = file.file_name().context("--pid-file: it has no name")?;
    let new = file.with_file_name(format!(".{}", name.to_string_lossy()));
    let mut options = File::options();
    // Neither a link nor a FIFO that somebody has put there.
    let opened = options.write(true).create_new(true).open(&new);
    opened
        .and_then(|mut opened| opened.write_all(pid.to_string().as_bytes()))
        .and_then(|()| fs::rename(&new, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Sends a pidfd of `pid` to the socket that `--pidfd-socket` names.
pub fn send(pid: Pid, path: &Path) -> Result<()> {
    let socket = UnixStream::connect(path)
        .with_context(|| format!("--pidfd-socket: cannot connect to {}", path.display()))?;
    let pidfd = PidFd::open(pid.as_raw())?.context("--pidfd-socket: the process has ended")?;
    crate::terminal::pty::send(&socket, &pidfd.as_fd().as_raw_fd()).context("--pidfd-socket")
}

// ANCHOR: take_from
/// A duplicate of descriptor `fd` of another process: pidfd_getfd(2).
pub fn take_from(process: Pid, fd: RawFd) -> Result<OwnedFd> {
    let cannot = "cannot take a descriptor from the container";
    let pidfd = PidFd::open(process.as_raw())?.context(cannot)?;
    let pidfd = pidfd.as_fd().as_raw_fd();
    // SAFETY: pidfd_getfd(2) takes three numbers.
    let taken = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd, fd, 0) };
    let taken = Errno::result(taken).context(cannot)?;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(taken as RawFd) })
}
// ANCHOR_END: take_from
