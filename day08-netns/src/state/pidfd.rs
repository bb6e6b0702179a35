//! A process that cannot be mistaken for another one: pidfd_open(2). For commands that are not the container's parent.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Instant;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

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

    /// Sends it `signal`. If it has ended in the meantime, that is not an error.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match pidfd_send_signal(self.0.as_raw_fd(), signal) {
            Err(Errno::ESRCH) => Ok(()),
            sent => sent.with_context(|| format!("cannot send {signal}")),
        }
    }

    /// Waits for its end, and tells whether it has come before the `deadline`, if there is one.
    pub fn ends_before(&self, deadline: Option<Instant>) -> Result<bool> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let ended = poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], timeout);
        Ok(ended.context("cannot wait for it to exit")? > 0)
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

fn pidfd_send_signal(pidfd: RawFd, signal: Signal) -> nix::Result<()> {
    let (call, info) = (libc::SYS_pidfd_send_signal, ptr::null::<libc::siginfo_t>());
    // SAFETY: pidfd_send_signal(2) takes numbers, and no siginfo.
    let sent = unsafe { libc::syscall(call, pidfd, signal as i32, info, 0) };
    Errno::result(sent).map(drop)
}
