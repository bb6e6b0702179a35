//! Starts this program again, as `tiny-runc init`: the process that prepares a container, or a further command in one.

pub mod inherited;

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, FcntlArg, OFlag, fcntl, open};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, fstat, stat};
use nix::unistd::{Pid, execveat, write};

use crate::namespaces::{binary, spawn};
use crate::oci::channel::News;
use crate::rootfs::mounts::Tree;

/// The descriptors that the new process needs besides 0, 1 and 2, and besides those that the command inherits.
pub struct Descriptors<'a> {
    pub socket: BorrowedFd<'a>,
    /// Where the container waits for `start`.
    pub gate: Option<BorrowedFd<'a>>,
    /// Where the container's terminal goes.
    pub console: Option<BorrowedFd<'a>>,
}

// ANCHOR: init
/// Starts `program`, with `preserve_fds` descriptors from 3 on, and those given. Returns its pid, and whether it has begun
/// in `cgroup`, a directory of version 2.
///
/// Entering that hierarchy later takes 10 ms and more: the kernel holds up all the forks of the machine.
pub fn init(
    program: &OwnedFd,
    descriptors: &Descriptors,
    preserve_fds: u32,
    cgroup: Option<BorrowedFd>,
) -> Result<(Pid, bool)> {
    // Linux before 5.7 cannot do that, nor can a group that takes no processes.
    let begun = cgroup.and_then(|cgroup| fork(CloneFlags::empty(), Some(cgroup)).ok());
    match begun {
        Some(Some(stage)) => Ok((stage, true)),
        Some(None) => {
            let Err(error) = start(program, descriptors, preserve_fds);
            let failed = serde_json::to_string(&News::Failed(format!("{error:#}")));
            let _ = write(
                descriptors.socket,
                (failed.unwrap_or_default() + "\n").as_bytes(),
            );
            // SAFETY: _exit(2) ends this process, and does nothing else.
            unsafe { libc::_exit(1) }
        }
        None => {
            let stage = spawn(CloneFlags::empty(), || {
                start(program, descriptors, preserve_fds)
            })?;
            Ok((stage, false))
        }
    }
}
// ANCHOR_END: init

// ANCHOR: start
/// Between clone and exec: system calls, and nothing that would outlive them in the parent's memory.
fn start(program: &OwnedFd, descriptors: &Descriptors, preserve_fds: u32) -> Result<Infallible> {
    let first = preserve_fds.saturating_add(3);
    close_from(first)?;
    let first = RawFd::try_from(first).context("--preserve-fds is too large")?;
    let mut arguments = vec![c"tiny-runc".to_owned(), c"init".to_owned()];
    let all = [
        Some(descriptors.socket),
        descriptors.gate,
        descriptors.console,
    ];
    for each in all {
        let number = match each {
            // From here on, exec leaves it open.
            Some(fd) => fcntl(fd, FcntlArg::F_DUPFD(first)).context("cannot keep a descriptor")?,
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
/// file is at no place at all, and that is enough. This is the runtime's, since a copy would count as the container's memory.
pub fn protected() -> Result<OwnedFd> {
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

/// From linux/sched.h.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// The arguments of clone3(2), in linux/sched.h.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

// ANCHOR: fork
/// Goes on as two processes, as fork(2) does. The new one has the namespaces of `flags`, and begins in `cgroup`. Returns
/// its pid to us, and None to it.
pub fn fork(flags: CloneFlags, cgroup: Option<BorrowedFd>) -> nix::Result<Option<Pid>> {
    let mut arguments = CloneArguments {
        flags: flags.bits() as u32 as u64,
        ..CloneArguments::default()
    };
    if !flags.contains(CloneFlags::CLONE_PARENT) {
        // A sibling has our own exit signal.
        arguments.exit_signal = libc::SIGCHLD as u64;
    }
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    let (call, size) = (libc::SYS_clone3, size_of_val(&arguments));
    // SAFETY: clone3(2) reads the arguments. This process has one thread, of which the new one has a copy.
    let pid = Errno::result(unsafe { libc::syscall(call, &arguments, size) })?;
    Ok((pid != 0).then(|| Pid::from_raw(pid as i32)))
}
// ANCHOR_END: fork

/// In the new process: the descriptors that [`init`] has left open for it: the socket, gate and console.
pub fn given() -> Result<[Option<OwnedFd>; 3]> {
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
    Ok([own(0)?, own(1)?, own(2)?])
}

/// The socket among them.
pub fn socket(socket: Option<OwnedFd>) -> Result<UnixStream> {
    Ok(socket.context("there is no socket")?.into())
}

/// Lets exec close every descriptor from `first` on: close_range(2).
pub fn close_from(first: u32) -> Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: close_range(2) only sets flags.
    if unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) } == 0 {
        return Ok(());
    }
    // Before Linux 5.11, one by one.
    for entry in fs::read_dir("/proc/self/fd").context("cannot list the open descriptors")? {
        let fd: RawFd = entry?.file_name().to_string_lossy().parse()?;
        if fd as u32 >= first {
            // SAFETY: fcntl(2) sets a flag of a descriptor that has just been listed.
            Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
        }
    }
    Ok(())
}
