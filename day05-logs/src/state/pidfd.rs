//! A process that cannot be mistaken for another one: pidfd_open(2). For commands that are not the container's parent.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::state::process::Process;

/// Can be waited for with poll(2): "readable" means that the process has ended.
pub struct PidFd(OwnedFd);

impl PidFd {
    /// `process`, or None if that has ended.
    pub fn of(process: &Process) -> Result<Option<Self>> {
        let fd = match pidfd_open(process.pid) {
            Err(Errno::ESRCH) => return Ok(None),
            opened => opened.context("cannot open a pidfd")?,
        };
        // Before this, the pid may have passed to another process. Now the descriptor keeps the one that it has.
        Ok(process.is_alive().then_some(Self(fd)))
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) takes two numbers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
