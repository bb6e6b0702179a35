//! The last step: this process becomes the user's command. execve(2), environ(7).

pub mod init;

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::execve;

use crate::container::Container;
use crate::failure::{Failure, NOT_FOUND};
use crate::signals::unblock;

/// Where the container's commands are looked for, as in Docker.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// ANCHOR: exec
/// Replaces this process by the container's command. Returns only to say why it could not.
pub fn exec(container: &Container) -> Result<Infallible, Failure> {
    let program = &container.command[0];
    let arguments = c_strings(&container.command)?;
    // Nothing of the caller's environment: it is the host's business, and often its secrets.
    let environment = c_strings(&[
        format!("PATH={PATH}"),
        format!("HOSTNAME={}", container.hostname),
        "HOME=/root".to_owned(),
        "TERM=xterm".to_owned(),
    ])?;
    reset_signals()?;
    close_on_exec()?;

    let mut failure = Failure::to_start(program, Errno::ENOENT);
    for path in c_strings(&places(program))? {
        let Err(errno) = execve(&path, &arguments, &environment);
        match errno {
            Errno::ENOENT if Path::new(OsStr::from_bytes(path.to_bytes())).exists() => {
                failure = without_interpreter(program)
            }
            Errno::ENOENT | Errno::ENOTDIR => (),
            _ => failure = Failure::to_start(program, errno),
        }
    }
    Err(failure)
}
// ANCHOR_END: exec

/// The files that `program` may mean: itself, or one in each directory of [`PATH`].
fn places(program: &str) -> Vec<String> {
    if program.contains('/') || program.is_empty() {
        return vec![program.to_owned()];
    }
    PATH.split(':')
        .map(|directory| format!("{directory}/{program}"))
        .collect()
}

/// execve(2) says ENOENT, too, when what is missing is a script's interpreter or a program's loader.
fn without_interpreter(program: &str) -> Failure {
    let cause = "the file exists, but the interpreter or loader that it names does not";
    let reason = anyhow!("cannot run {program}: {cause}");
    Failure {
        code: NOT_FOUND,
        reason,
    }
}

/// Undoes what exec would hand on: signals that the parent holds back, or that Rust ignores (SIGPIPE).
fn reset_signals() -> Result<()> {
    for each in Signal::iterator() {
        // SAFETY: no handler is installed. (SIGKILL and SIGSTOP refuse, and need no reset.)
        let before = unsafe { signal(each, SigHandler::SigDfl) };
        if each == Signal::SIGHUP && matches!(before, Ok(SigHandler::SigIgn)) {
            // nohup(1): the command should outlive its terminal. SAFETY: as before.
            let _ = unsafe { signal(each, SigHandler::SigIgn) };
        }
    }
    unblock().context("cannot unblock signals")
}

// ANCHOR: close_on_exec
/// Lets exec close every descriptor but 0, 1 and 2: the socket, and whatever the caller's shell had open.
///
/// One of the host's root directory, say, would be a way out of the container.
fn close_on_exec() -> Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: close_range(2) only sets flags.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, flags) } == 0 {
        return Ok(());
    }
    // Before Linux 5.11, one by one.
    for entry in fs::read_dir("/proc/self/fd").context("cannot list the open descriptors")? {
        let fd: RawFd = entry?.file_name().to_string_lossy().parse()?;
        if fd > libc::STDERR_FILENO {
            // SAFETY: fcntl(2) sets a flag of a descriptor that has just been listed.
            Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
        }
    }
    Ok(())
}
// ANCHOR_END: close_on_exec

fn c_strings(texts: &[String]) -> Result<Vec<CString>> {
    let texts = texts.iter().map(|text| CString::new(text.as_str()));
    texts
        .collect::<Result<_, _>>()
        .context("an argument contains a NUL byte")
}
