//! `run -d`: the container goes on when the command that started it has returned. fork(2), setsid(2).
//!
//! It uses neither the parent and `exec`, which give it the work to do, nor the records.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, PipeWriter, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

use crate::failure::{Failure, print};
use crate::state::id::Id;

/// The command that the user has typed. At the other end of the pipe it waits for the container to start.
pub struct Caller {
    pipe: PipeWriter,
    null: File,
}

// ANCHOR: run
/// Leaves the `work`, for example that of [`crate::parent::run`], to a new process, the supervisor, and waits until the
/// command has started.
pub fn run(
    keep_stdin: bool,
    work: impl FnOnce(Caller) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    close_the_callers();
    let (mut news, caller) = io::pipe().context("cannot create a pipe")?;
    // SAFETY: this process has one thread, so the new one can go on as if it were this one.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            drop(news);
            // No terminal can hang up on it, or send it a Ctrl-C.
            setsid().context("cannot create a session")?;
            // We hold it until the container has ended.
            let _typing = keep_stdin_open(keep_stdin)?;
            let (pipe, null) = (caller, null()?);
            work(Caller { pipe, null })
        }
        ForkResult::Parent { child } => {
            drop(caller);
            let mut code = [0];
            if news.read_exact(&mut code).is_ok() {
                return Ok(code[0]);
            }
            // It has failed, and has said why.
            match waitpid(child, None).context("cannot wait for the supervisor")? {
                WaitStatus::Exited(_, code) => Ok(code as u8),
                _ => Err(anyhow!(
                    "cannot tell whether the container has started: the supervisor was killed\n\
                    hint: tiny-docker ps -a lists all containers"
                )
                .into()),
            }
        }
    }
}
// ANCHOR_END: run

/// Closes everything else that the caller has open, such as a lock or a pipe. Before Linux 5.9 it stays open.
fn close_the_callers() {
    // SAFETY: close_range(2). This process has opened nothing yet.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
}

impl Caller {
    // ANCHOR: started
    /// Prints the id for the caller, if there is a new one. Then it lets go of the caller's directory, and of its
    /// terminal or pipes: the caller may be waiting for their end.
    ///
    /// If the id cannot be printed, an error says it. If the caller is gone, there is nobody to tell. In both cases,
    /// the container still runs.
    pub fn started(mut self, id: Option<&Id>) {
        let code = id.map_or(0, print);
        let _ = chdir("/");
        let _ = dup2_stdin(&self.null);
        let _ = dup2_stdout(&self.null);
        let _ = dup2_stderr(&self.null);
        let _ = self.pipe.write_all(&[code]);
    }
    // ANCHOR_END: started
}

// ANCHOR: keep_stdin_open
/// For `run -di`: the container reads from a pipe to which nobody writes, and which does not end before this is
/// dropped.
fn keep_stdin_open(keep: bool) -> Result<Option<PipeWriter>> {
    if !keep {
        return Ok(None);
    }
    let (reader, writer) = io::pipe().context("cannot create a pipe for stdin")?;
    dup2_stdin(&reader).context("cannot keep stdin open")?;
    Ok(Some(writer))
}
// ANCHOR_END: keep_stdin_open

// ANCHOR: redirect_to_log
/// Opens a container's `log` for writing.
pub fn open(log: &Path) -> Result<File> {
    // O_APPEND: each write goes to the end, even if another program has the file open, too.
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW).open(log);
    let cannot = format!("cannot open {}", log.display());
    let file = file.context(cannot.clone())?;
    // A command that is not root's can then open it as /dev/stdout. By its own path, only its owner gets this far.
    if file.metadata().context(cannot.clone())?.is_file() {
        let writable = Permissions::from_mode(0o622);
        file.set_permissions(writable).context(cannot)?;
    }
    Ok(file)
}

/// In the child: everything that is written goes to the file `log`, byte for byte. There is nothing to read, unless it
/// is `interactive`.
pub fn redirect_to_log(log: &Path, interactive: bool) -> Result<()> {
    let file = open(log)?;
    if !interactive {
        dup2_stdin(null()?).context("cannot close stdin")?;
    }
    dup2_stdout(&file).context("cannot redirect stdout to the log")?;
    dup2_stderr(&file).context("cannot redirect stderr to the log")
}
// ANCHOR_END: redirect_to_log

pub fn null() -> Result<File> {
    let null = File::options().read(true).write(true).open("/dev/null");
    null.context("cannot open /dev/null")
}
