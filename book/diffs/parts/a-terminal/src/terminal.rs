//! The caller's terminal, which is lent to the container for as long as that runs: tcsetpgrp(3).
//!
//! With -t, the container has its own terminal ([`pty`]), and [`relay`] carries what is typed and printed. Otherwise,
//! [`stdio`] does that through pipes. `parent` and `child` use this room; it uses signals and the log.

pub mod lane;
pub mod pty;
pub mod relay;
pub mod stdio;

use std::io::{self, IsTerminal, PipeWriter, Read};
use std::process::exit;

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg, signal};
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{FlowArg, SetArg, Termios, cfmakeraw, tcflow, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpgrp, setpgid, tcgetpgrp, tcsetpgrp};

use crate::container::Container;
use crate::signals::{self, hang_up, has_asked, stop};

/// The terminal of an interactive run. When this is dropped, it is given back as it was.
pub struct Terminal {
    /// The terminal's state before it was lent.
    before: Option<State>,
    lookout: Pid,
    _ends_the_lookout: PipeWriter,
}

impl Terminal {
    /// The terminal that the user types at, if `container` needs it, or None: in a pipe, without a terminal, and in the
    /// background without -i.
    pub fn to_lend(container: &Container) -> Result<Option<Self>> {
        let background = tcgetpgrp(io::stdin()).is_ok() && container.interactive;
        let may_lend = (is_ours() || background) && io::stdout().is_terminal();
        if container.has_own_stdio() || !may_lend {
            return Ok(None);
        }
        let (lookout, _ends_the_lookout) = start_lookout()?;
        let before = None;
        Ok(Some(Self {
            before,
            lookout,
            _ends_the_lookout,
        }))
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
        self.before = State::of_stdin();
        tcsetpgrp(io::stdin(), leader).context("cannot hand over the terminal")
    }

    fn take_back(&mut self) {
        let Some(_before) = self.before.take() else {
            return;
        };
        // We are in the background. From there, only a process that blocks SIGTTOU may do this.
        let _ = SigSet::from(Signal::SIGTTOU).thread_block();
        // It fails if the terminal has been closed: then there is nothing to give back.
        let _ = tcsetpgrp(io::stdin(), getpgrp());
    }

    /// Looks after the terminal and forwards signals until `child` has ended, and returns the exit code to pass on.
    pub fn run(mut self, child: Pid, signals: &SignalFd, at_keyboard: Pid) -> Result<u8> {
        loop {
            if let Some((_, status)) =
                signals::ended(child).context("cannot wait for the command")?
            {
                return Ok(signals::exit_code(status));
            }
            self.look_after(child)?;
            signals::forward(signals, child, Some(at_keyboard))?;
        }
    }

    // ANCHOR: look_after
    /// If Ctrl-Z has stopped the lookout, and the foreground with it, stops the entire job: the container and us.
    fn look_after(&mut self, child: Pid) -> Result<()> {
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
                // It may have been stopped for reading in the background. If we are in the foreground by now, it can go
                // on.
                if !is_ours() {
                    self.take_back();
                    // We stop everything that our caller's shell sees as one job. After `fg` or `bg`, we go on here.
                    stop(Pid::from_raw(0))?;
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
/// Starts a process for the container's foreground. It ends with this one, or when the pipe is dropped.
///
/// The kernel tells only the parent that a process has stopped, and we are not the parent of those in the container.
fn start_lookout() -> Result<(Pid, PipeWriter)> {
    let (mut end, writer) = io::pipe().context("cannot create a pipe")?;
    // SAFETY: this process has one thread.
    if let ForkResult::Parent { child } = unsafe { fork() }.context("cannot fork")? {
        return Ok((child, writer));
    }
    drop(writer);
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

// ANCHOR: state
/// Everything that a command can change about a terminal for its next users, except the size: that is the window's.
/// When this is dropped, the terminal is as it was.
pub struct State {
    settings: Termios,
    flags: OFlag,
    exclusive: i32,
    discipline: i32,
}

impl State {
    /// None unless stdin is a terminal, and we are in its foreground.
    pub fn of_stdin() -> Option<Self> {
        let settings = tcgetattr(io::stdin()).ok().filter(|_| is_ours())?;
        let flags = fcntl(io::stdin(), FcntlArg::F_GETFL).ok()?;
        let (mut exclusive, mut discipline) = (0, 0);
        // SAFETY: each of these writes a number, and nothing else: ioctl_tty(2).
        unsafe {
            libc::ioctl(libc::STDIN_FILENO, libc::TIOCGEXCL, &mut exclusive);
            libc::ioctl(libc::STDIN_FILENO, libc::TIOCGETD, &mut discipline);
        }
        let flags = OFlag::from_bits_retain(flags);
        Some(Self {
            settings,
            flags,
            exclusive,
            discipline,
        })
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if !is_ours() {
            return;
        }
        let exclusive = match self.exclusive {
            0 => libc::TIOCNXCL,
            _ => libc::TIOCEXCL,
        };
        let mut discipline = self.discipline;
        // SAFETY: the first takes nothing, the second writes a number, and the third reads one.
        unsafe {
            libc::ioctl(libc::STDIN_FILENO, exclusive);
            libc::ioctl(libc::STDIN_FILENO, libc::TIOCGETD, &mut discipline);
            // Even if this changes nothing, a read(2) that is under way would fail with EAGAIN.
            if discipline != self.discipline {
                libc::ioctl(libc::STDIN_FILENO, libc::TIOCSETD, &self.discipline);
            }
        }
        let _ = fcntl(io::stdin(), FcntlArg::F_SETFL(self.flags));
        // If the command has stopped the output with tcflow(3), the next line would wait.
        let _ = tcflow(io::stdin(), FlowArg::TCOON);
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.settings);
    }
}
// ANCHOR_END: state

// ANCHOR: raw
/// The caller's terminal, while it passes on each key as it is, even Ctrl-C. When this is dropped, it is as it was.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Begins now. If we are in the background, the kernel stops us here until we are brought to the foreground.
    pub fn stdin() -> Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot read the terminal settings")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)
            .context("cannot change the terminal settings")?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // As for a lent terminal: we may be in the background by now.
        let _ = SigSet::from(Signal::SIGTTOU).thread_block();
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}
// ANCHOR_END: raw
