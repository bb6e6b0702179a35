//! Starts this program again, as `tiny-runc init`: the process that prepares a container, or a further command in one.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, FcntlArg, OFlag, fcntl, open};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, fstat, stat};
use nix::unistd::{Pid, execveat};

use crate::namespaces::{binary, spawn};
use crate::rootfs::mounts::Tree;

/// The descriptors that the new process needs besides 0, 1 and 2, and besides those that the command inherits.
pub struct Descriptors<'a> {
    pub socket: BorrowedFd<'a>,
}

// ANCHOR: init
/// Starts it, with the descriptors that are given. Returns its pid.
pub fn init(descriptors: &Descriptors) -> Result<Pid> {
    // Here, since a copy of it would count as the container's memory.
    let program = protected()?;
    spawn(CloneFlags::empty(), || start(&program, descriptors))
}
// ANCHOR_END: init

// ANCHOR: start
/// Between clone and exec: system calls, and nothing that would outlive them in the parent's memory.
fn start(program: &OwnedFd, descriptors: &Descriptors) -> Result<Infallible> {
    close_from(3)?;
    let mut arguments = vec![c"tiny-runc".to_owned(), c"init".to_owned()];
    let all = [Some(descriptors.socket)];
    for each in all {
        let number = match each {
            // From here on, exec leaves it open.
            Some(fd) => fcntl(fd, FcntlArg::F_DUPFD(3)).context("cannot keep a descriptor")?,
            None => -1,
        };
        arguments.push(CString::new(number.to_string())?);
    }
    // What our caller has in its environment is not for the container.
    let environment = [c""; 0];
    let itself = AtFlags::AT_EMPTY_PATH;
    execveat(program, c"", &arguments, &environment, itself)
        .context("cannot re-execute this program")
}
// ANCHOR_END: start

// ANCHOR: protected
/// As [`binary::protected`], without a mount namespace: this one is the host's, or even shared with it. The view of the
/// file is at no place at all, and that is enough.
fn protected() -> Result<OwnedFd> {
    let view = || {
        let path = fs::read_link("/proc/self/exe")?;
        let file = open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        let (seen, meant) = (fstat(&file)?, stat("/proc/self/exe")?);
        ensure!((seen.st_dev, seen.st_ino) == (meant.st_dev, meant.st_ino));
        Ok(Tree::of(&file)?.restrict(MsFlags::MS_RDONLY)?.into())
    };
    view().or_else(|_| binary::copy())
}
// ANCHOR_END: protected

/// In the new process: the descriptors that [`init`] has left open for it.
pub fn given() -> Result<[Option<OwnedFd>; 1]> {
    let numbers = env::args().skip(2).map(|number| number.parse::<RawFd>());
    let numbers: Vec<_> = numbers.collect::<Result<_, _>>()?;
    let own = |n: usize| -> Result<Option<OwnedFd>> {
        let number = *numbers
            .get(n)
            .context("cannot run as init: only tiny-runc itself starts it")?;
        if number < 3 {
            return Ok(None);
        }
        // SAFETY: fcntl(2) sets a flag of a descriptor that nothing else in this process owns.
        Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
        // SAFETY: open, as fcntl has shown, and owned by nobody else.
        Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
    };
    Ok([own(0)?])
}

/// The socket among them.
pub fn socket(socket: Option<OwnedFd>) -> Result<UnixStream> {
    Ok(socket.context("there is no socket")?.into())
}

/// Lets exec close every descriptor from `first` on: close_range(2).
pub fn close_from(first: u32) -> Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: close_range(2) only sets flags.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) })
        .context("cannot close what is open")?;
    Ok(())
}
