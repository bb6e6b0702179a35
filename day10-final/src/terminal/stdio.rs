//! The caller's terminal stays outside the container, unless `run` lends it. pipe(7), poll(2).
//!
//! Whoever has a terminal open, even as stderr, can read from it for as long as they live, including what the caller
//! types at their shell later. So the command gets a pipe in its place, and we carry what goes through it.
//!
//! [`crate::parent`] and [`crate::exec`] create the pipes before they start the command, and then wait in
//! [`Pipes::run`].

use std::fs::{File, Permissions};
use std::io::{self, IsTerminal, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getpgrp, tcgetpgrp};

use crate::container::Container;
use crate::terminal::lane::{BUFFER, Lane, copy};
use crate::{detach, signals};

/// Our side of the pipes. There are none if the caller has no terminal.
#[derive(Default)]
pub struct Pipes {
    typed: Vec<Lane>,
    printed: Vec<Lane>,
}

// ANCHOR: divide
/// Returns the stdin, stdout and stderr of the command, and what we keep.
pub fn divide(guest: &Container) -> Result<([OwnedFd; 3], Pipes)> {
    let null = || detach::null().map(OwnedFd::from);
    let mut pipes = Pipes::default();
    if guest.has_own_stdio() {
        return Ok(([null()?, null()?, null()?], pipes));
    }
    let stdin = match guest.interactive {
        true if io::stdin().is_terminal() => pipes.typed()?,
        true => copy(io::stdin())?.into(),
        false => null()?,
    };
    let [stdout, stderr] = pipes.outputs()?;
    Ok(([stdin, stdout, stderr], pipes))
}
// ANCHOR_END: divide

// ANCHOR: divide_for_run
/// The same for a `run` that lends no terminal. A background command must not read what its caller types meanwhile.
pub fn divide_for_run() -> Result<([OwnedFd; 3], Pipes)> {
    let mut pipes = Pipes::default();
    let in_background = tcgetpgrp(io::stdin()).is_ok_and(|group| group != getpgrp());
    let stdin = match in_background {
        true => detach::null()?,
        false => copy(io::stdin())?,
    };
    let [stdout, stderr] = pipes.outputs()?;
    Ok(([stdin.into(), stdout, stderr], pipes))
}

/// Does `work`, which starts a process, while `stdio` is this process's stdin, stdout and stderr.
pub fn with<T>(stdio: [OwnedFd; 3], work: impl FnOnce() -> Result<T>) -> Result<T> {
    let ours = [
        copy(io::stdin())?.into(),
        copy(io::stdout())?.into(),
        copy(io::stderr())?.into(),
    ];
    be(stdio)?;
    let done = work();
    be(ours)?;
    done
}
// ANCHOR_END: divide_for_run

/// Makes these three this process's stdin, stdout and stderr.
pub fn be([stdin, stdout, stderr]: [OwnedFd; 3]) -> Result<()> {
    dup2_stdin(stdin).context("cannot forward stdin")?;
    dup2_stdout(stdout).context("cannot forward stdout")?;
    dup2_stderr(stderr).context("cannot forward stderr")
}

fn same_terminal(one: impl AsFd + IsTerminal, other: impl AsFd + IsTerminal) -> Result<bool> {
    let terminals = one.is_terminal() && other.is_terminal();
    let device = |file: File| anyhow::Ok(file.metadata()?.rdev());
    Ok(terminals && device(copy(one)?)? == device(copy(other)?)?)
}

impl Pipes {
    fn typed(&mut self) -> Result<OwnedFd> {
        let (reader, writer) = pipe()?;
        self.typed
            .push(Lane::new(copy(io::stdin())?, copy(writer)?));
        Ok(reader.into())
    }

    fn outputs(&mut self) -> Result<[OwnedFd; 2]> {
        let stdout = self.printed(io::stdout())?;
        // With two pipes, we would not know what was printed first.
        let stderr = match same_terminal(io::stdout(), io::stderr())? {
            true => stdout.try_clone().context("cannot copy a pipe")?,
            false => self.printed(io::stderr())?,
        };
        Ok([stdout, stderr])
    }

    /// What the command gets in place of `to`: `to` itself, unless it is a terminal.
    fn printed(&mut self, to: impl AsFd + IsTerminal) -> Result<OwnedFd> {
        if !to.is_terminal() {
            return Ok(copy(to)?.into());
        }
        let (reader, writer) = pipe()?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .context("cannot make a pipe non-blocking")?;
        self.printed.push(Lane::new(copy(reader)?, copy(to)?));
        Ok(writer.into())
    }

    // ANCHOR: run
    /// Carries what goes through the pipes until `child` has ended, and returns the exit code to pass on.
    pub fn run(mut self, child: Pid, signals: &SignalFd, at_keyboard: Pid) -> Result<u8> {
        loop {
            // Before each wait: one SIGCHLD may stand for two children, and the other one may have been one of our
            // programs.
            if let Some((_, status)) =
                signals::ended(child).context("cannot wait for the command")?
            {
                self.finish();
                return Ok(signals::exit_code(status));
            }
            if self.carry(signals)? {
                signals::forward(signals, child, Some(at_keyboard))?;
            }
        }
    }

    /// Waits for something to carry, or for a signal, and returns whether there is a signal.
    fn carry(&mut self, signals: &SignalFd) -> Result<bool> {
        let lanes = self.typed.iter().chain(&self.printed).map(Lane::next);
        let mut all = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        all.extend(lanes);
        match poll(&mut all, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(false),
            polled => polled.context("cannot wait")?,
        };
        let ready: Vec<_> = all.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        let mut ready = ready.into_iter();
        let signal = ready.next() == Some(true);
        // At the end of its input, or when nobody can read its output any more, a lane is dropped, and closes its
        // files.
        let mut goes_on = |lane: &mut Lane| ready.next() != Some(true) || lane.step().is_ok();
        self.typed.retain_mut(&mut goes_on);
        self.printed.retain_mut(&mut goes_on);
        Ok(signal)
    }
    // ANCHOR_END: run

    /// The command's last output is in the pipes. We do not wait for the processes that it has left behind: they may
    /// print forever.
    fn finish(self) {
        for mut lane in self.printed {
            let size = fcntl(&lane.from, FcntlArg::F_GETPIPE_SZ).unwrap_or(0);
            // It takes two steps to read a part and to write it.
            for _ in 0..=2 * size as usize / BUFFER {
                if !lane.step().unwrap_or(false) {
                    break;
                }
            }
        }
    }
}

/// A pipe that a command can open again (as /dev/stdout), whichever user it runs as.
fn pipe() -> Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe().context("cannot create a pipe")?;
    let everybody = Permissions::from_mode(0o666);
    let opened = copy(&writer)?.set_permissions(everybody);
    opened.context("cannot change the mode of a pipe")?;
    Ok((reader, writer))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use nix::sys::signal::{SigSet, Signal};
    use nix::sys::wait::{Id, WaitPidFlag, waitid};

    use super::*;

    #[test]
    fn a_child_that_has_ended_unnoticed_is_not_waited_for() {
        let mut process = Command::new("true").spawn().unwrap();
        let child = Pid::from_raw(process.id() as i32);
        // It stays a zombie, and nothing is left to read from the signalfd.
        waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        let signals = SignalFd::new(&SigSet::from(Signal::SIGCHLD)).unwrap();
        let (told, code) = mpsc::channel();
        thread::spawn(move || told.send(Pipes::default().run(child, &signals, child).unwrap()));
        assert_eq!(code.recv_timeout(Duration::from_secs(60)), Ok(0));
        assert!(process.wait().is_err(), "it has been waited for already");
    }
}
