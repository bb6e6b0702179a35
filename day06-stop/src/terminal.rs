//! The terminal is lent to the container for as long as it runs: tcsetpgrp(3). Only `parent` uses this.

use std::io::{self, IsTerminal, PipeWriter, Read};
use std::process::exit;

use anyhow::{Context, Result};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg, signal};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpgrp, setpgid, tcgetpgrp, tcsetpgrp};

use crate::signals::{hang_up, has_asked};

/// The terminal of an interactive run. When this is dropped, it is given back as it was.
pub struct Terminal {
    /// The settings before it was lent, while it is.
    settings: Option<Termios>,
    lookout: Pid,
    _ends_the_lookout: PipeWriter,
}

impl Terminal {
    /// The terminal that the user types at, if there is one.
    pub fn ours() -> Result<Option<Self>> {
        if tcgetpgrp(io::stdin()).is_err() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        start_lookout().map(Some)
    }

    /// Puts the process group of `leader` in the foreground: it may read the terminal, and gets its Ctrl-C.
    /// Does nothing while we are in the background ourselves.
    ///
    /// Ours is in another PID namespace: a shell in the container would find that the terminal belongs to
    /// a group that it cannot see, and could never give it back.
    pub fn lend(&mut self, leader: Pid) -> Result<()> {
        // The lookout joins that group. From the second time on, it is already there.
        let _ = setpgid(self.lookout, leader);
        if !is_ours() {
            return Ok(());
        }
        self.settings = tcgetattr(io::stdin()).ok();
        tcsetpgrp(io::stdin(), leader).context("cannot hand over the terminal")
    }

    fn take_back(&mut self) {
        let Some(settings) = self.settings.take() else {
            return;
        };
        // We are in the background. From there, only a process that blocks SIGTTOU may do this.
        let _ = SigSet::from(Signal::SIGTTOU).thread_block();
        // It fails if the terminal has been closed: then there is nothing to give back.
        let _ = tcsetpgrp(io::stdin(), getpgrp());
        // SAFETY: TIOCNXCL takes nothing. Others may open the terminal again.
        unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCNXCL) };
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &settings);
    }

    // ANCHOR: look_after
    /// If Ctrl-Z has stopped the lookout, and the foreground with it, stops the entire job: the container and us.
    pub fn look_after(&mut self, child: Pid) -> Result<()> {
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        match waitpid(self.lookout, Some(flags)) {
            // A shell that has jobs of its own takes no notice of Ctrl-Z.
            Ok(WaitStatus::Stopped(lookout, signal))
                if has_asked(child, signal, &["SigCgt", "SigIgn"]) =>
            {
                let _ = kill(lookout, Signal::SIGCONT);
            }
            Ok(WaitStatus::Stopped(..)) => {
                let _ = killpg(child, Signal::SIGSTOP);
                // It may have been stopped for reading in the background. If we are in the foreground by now, it can go on.
                if !is_ours() {
                    self.take_back();
                    // We stop everything that our caller's shell sees as one job. After `fg` or `bg`, we go on here.
                    kill(Pid::from_raw(0), Signal::SIGTSTP).context("cannot suspend")?;
                }
                self.lend(child)?;
                let _ = killpg(child, Signal::SIGCONT);
            }
            Ok(WaitStatus::Signaled(_, Signal::SIGHUP, _)) => hang_up(child)?,
            _ => self.lend(child)?,
        }
        Ok(())
    }
    // ANCHOR_END: look_after
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
    }
}

// ANCHOR: lookout
/// Starts a process for the container's foreground. It ends with this one, or when the terminal is dropped.
///
/// The kernel tells only the parent that a process has stopped, and we are not the parent of those in the container.
fn start_lookout() -> Result<Terminal> {
    let (mut end, _ends_the_lookout) = io::pipe().context("cannot create a pipe")?;
    // SAFETY: this process has one thread.
    if let ForkResult::Parent { child: lookout } = unsafe { fork() }.context("cannot fork")? {
        return Ok(Terminal {
            settings: None,
            lookout,
            _ends_the_lookout,
        });
    }
    drop(_ends_the_lookout);
    // SAFETY: no handler is installed.
    let _ = unsafe { signal(Signal::SIGTSTP, SigHandler::SigDfl) };
    let _ = SigSet::from_iter([Signal::SIGHUP, Signal::SIGTSTP]).thread_unblock();
    let _ = end.read(&mut [0]);
    exit(0)
}
// ANCHOR_END: lookout

/// Whether our process group is in the foreground.
fn is_ours() -> bool {
    tcgetpgrp(io::stdin()) == Ok(getpgrp())
}
