//! The last step: this process becomes the user's command. execve(2), environ(7). For `child`.

pub mod environment;
pub mod init;
pub mod workdir;

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

use crate::failure::{Failure, NOT_FOUND};
use crate::signals::unblock;

/// execve(2) returns ENOENT in this case, too.
const NO_LOADER: &str = "the file exists, but the interpreter or loader that it names does not";

// ANCHOR: exec
/// Replaces this process with the `command`. Returns only to say why it could not.
pub fn exec(command: &[String], environment: &[String]) -> Result<Infallible, Failure> {
    let program = &command[0];
    let path = environment::value(environment, "PATH").unwrap_or_default();
    let (arguments, environment) = (c_strings(command)?, c_strings(environment)?);
    reset_signals()?;
    close_on_exec()?;

    let mut failure = Failure::to_start(program, Errno::ENOENT);
    for path in c_strings(&places(program, path))? {
        let Err(errno) = execve(&path, &arguments, &environment);
        if errno == Errno::ENOENT && Path::new(OsStr::from_bytes(path.to_bytes())).exists() {
            let reason = anyhow!("cannot run {program}: {NO_LOADER}");
            let code = NOT_FOUND;
            failure = Failure { code, reason };
        } else if !matches!(errno, Errno::ENOENT | Errno::ENOTDIR) {
            failure = Failure::to_start(program, errno);
        }
    }
    Err(failure)
}
// ANCHOR_END: exec

/// The files that `program` may mean: itself, or one in each directory of `path`.
fn places(program: &str, path: &str) -> Vec<String> {
    if program.contains('/') || program.is_empty() {
        return vec![program.to_owned()];
    }
    path.split(':')
        .map(|directory| format!("{directory}/{program}"))
        .collect()
}

/// Undoes what exec would pass on: signals that the parent blocks, or that Rust ignores (SIGPIPE).
pub fn reset_signals() -> Result<()> {
    for each in Signal::iterator() {
        // SAFETY: no handler is installed. (SIGKILL and SIGSTOP refuse, and need no reset.)
        let before = unsafe { signal(each, SigHandler::SigDfl) };
        if each == Signal::SIGHUP && matches!(before, Ok(SigHandler::SigIgn)) {
            // nohup(1): the command should outlive its terminal. SAFETY: as before.
            let _ = unsafe { signal(each, SigHandler::SigIgn) };
        }
    }
    // Exec may take its time, and without a handler, a PID 1 gets no Ctrl-C. After exec, this handler is gone.
    // SAFETY: `end` is safe in a handler.
    let _ = unsafe { signal(Signal::SIGINT, SigHandler::Handler(end)) };
    unblock().context("cannot unblock signals")
}

pub extern "C" fn end(signal: i32) {
    // SAFETY: _exit(2) ends this process, and does nothing else.
    unsafe { libc::_exit(128 + signal) }
}

// ANCHOR: close_on_exec
/// Lets exec close every descriptor except 0, 1 and 2: the socket, and whatever the caller's shell had open.
///
/// The host's root directory, for example, would be a way out of the container.
pub fn close_on_exec() -> Result<()> {
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
