//! `run -t`: carries what is typed to the container's terminal, and what is printed back. poll(2), signalfd(2).
//!
//! Each direction is a [`Lane`]. [`crate::parent`] and [`crate::exec`] spend the life of the command in here.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Error, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

use crate::container::Container;
use crate::failure::warn;
use crate::terminal::Raw;
use crate::terminal::lane::{Lane, copy};
use crate::terminal::pty;
use crate::{detach, signals};

/// In milliseconds: once nobody has the terminal open, how often we look whether somebody has opened it again.
const LOOK_AGAIN: u16 = 1000;

/// Each direction has its own lane, so that neither ever waits for the other.
pub struct Relay {
    /// From the caller, with -i.
    typed: Option<Lane>,
    /// To the caller, or to the log. None once the container's terminal has been hung up.
    printed: Option<Lane>,
    to_log: bool,
    /// What is typed is a file, with an end.
    from_file: bool,
    /// Nobody in the container has the terminal open.
    closed: bool,
}

impl Relay {
    /// Connects `terminal`, the runtime's side, to the log of `container`, or to the caller, who types if it is
    /// interactive.
    pub fn new(terminal: OwnedFd, container: &Container) -> Result<Self> {
        let log = container.log.as_deref();
        fcntl(&terminal, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .context("cannot make the terminal non-blocking")?;
        let terminal = File::from(terminal);
        let typed = match log {
            None if container.interactive => Some(Lane::new(copy(io::stdin())?, copy(&terminal)?)),
            _ => None,
        };
        let to = match log {
            Some(log) => detach::open(log)?,
            None => copy(io::stdout())?,
        };
        Ok(Self {
            typed,
            printed: Some(Lane::new(terminal, to)),
            to_log: log.is_some(),
            from_file: false,
            closed: false,
        })
    }

    /// Connects `terminal` to the caller, who types.
    pub fn to_caller(terminal: OwnedFd) -> Result<Self> {
        fcntl(&terminal, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .context("cannot make the terminal non-blocking")?;
        let terminal = File::from(terminal);
        Ok(Self {
            typed: Some(Lane::new(copy(io::stdin())?, copy(&terminal)?)),
            printed: Some(Lane::new(terminal, copy(io::stdout())?)),
            to_log: false,
            from_file: !io::stdin().is_terminal(),
            closed: false,
        })
    }

    // ANCHOR: run
    /// Carries what is typed and printed until `child` has ended, and returns the exit code to pass on.
    pub fn run(mut self, child: Pid, signals: &SignalFd) -> Result<u8> {
        let _raw = (self.typed.is_some() && io::stdin().is_terminal())
            .then(Raw::stdin)
            .transpose()?;
        loop {
            let [signal, typed, printed] = self.wait(signals)?;
            if signal && let Some(code) = self.heed(signals, child)? {
                self.finish(signals)?;
                return Ok(code);
            }
            if typed {
                self.carry_typed();
            }
            if printed {
                self.carry_printed();
            }
        }
    }
    // ANCHOR_END: run

    // ANCHOR: wait
    /// Sleeps until there is something to do, and returns what it is: a signal, something typed, something printed.
    fn wait(&mut self, signals: &SignalFd) -> Result<[bool; 3]> {
        let signal = PollFd::new(signals.as_fd(), PollFlags::POLLIN);
        let never = || PollFd::new(signals.as_fd(), PollFlags::empty());
        let typed = self.typed.as_ref().map_or_else(never, Lane::next);
        // While nobody has the terminal open, poll(2) would always return at once, with an error.
        let printed = self.printed.as_ref().filter(|_| !self.closed);
        let printed = printed.map_or_else(never, Lane::next);
        let timeout = match self.closed {
            true => PollTimeout::from(LOOK_AGAIN),
            false => PollTimeout::NONE,
        };
        let mut all = [signal, typed, printed];
        match poll(&mut all, timeout) {
            Ok(0) => self.closed = false,
            Err(Errno::EINTR) => return Ok([false; 3]),
            polled => drop(polled.context("cannot wait")?),
        }
        Ok(all.map(|fd| fd.any().unwrap_or(true)))
    }
    // ANCHOR_END: wait

    // ANCHOR: heed
    /// Acts on the next signal. If it reports the child's end, returns the exit code.
    fn heed(&self, signals: &SignalFd, child: Pid) -> Result<Option<u8>> {
        let (signal, from_kernel) = signals::next(signals)?;
        match signal {
            libc::SIGCHLD => {
                let ended = signals::ended(child).context("cannot wait for the command")?;
                return Ok(ended.map(|(_, status)| signals::exit_code(status)));
            }
            // The kernel reports the new size to the container's foreground.
            libc::SIGWINCH => {
                let terminal = self.printed.as_ref().map(|lane| &lane.from);
                terminal.map(pty::copy_size).transpose()?;
            }
            // Even one from the keyboard: the command has a different terminal, and has not received it.
            _ => signals::heed(signal, from_kernel, child, Some(child))?,
        }
        Ok(None)
    }
    // ANCHOR_END: heed

    // ANCHOR: carry
    fn carry_typed(&mut self) {
        let Some(lane) = &mut self.typed else { return };
        match lane.step() {
            Ok(_) => (),
            // Nobody has the terminal open, so nobody could read it.
            Err(_) if lane.is_full() => lane.forget(),
            Err(_) if self.from_file => self.typed = None,
            // The caller's terminal is gone, so the container's goes, too.
            Err(_) => self.hang_up(),
        }
    }

    fn carry_printed(&mut self) {
        let Some(lane) = &mut self.printed else {
            return;
        };
        match lane.step() {
            Ok(_) => (),
            // EIO: nobody has it open. Whoever opens it later is heard again.
            Err(_) if !lane.is_full() => self.closed = true,
            // A full disk must not end the container.
            Err(_) if self.to_log => lane.forget(),
            Err(error) => {
                // A reader that has had enough, as in `| head -1`, needs no warning.
                if error.kind() != ErrorKind::BrokenPipe {
                    warn(&Error::new(error).context("cannot print the output"));
                }
                self.hang_up();
            }
        }
    }
    // ANCHOR_END: carry

    /// Closes the terminal: the kernel sends SIGHUP to its session, and nobody can read or write it any more.
    fn hang_up(&mut self) {
        self.typed = None;
        self.printed = None;
    }

    // ANCHOR: finish
    /// The command is dead by now, but the last of its output may still be on its way.
    fn finish(mut self, signals: &SignalFd) -> Result<()> {
        self.typed = None;
        self.closed = false;
        while let Some(lane) = &mut self.printed {
            // EAGAIN or EIO: that was all.
            if !lane.is_full() && !lane.step().unwrap_or(false) {
                break;
            }
            let [signal, _, printed] = self.wait(signals)?;
            if printed {
                self.carry_printed();
            }
            // The command is gone, so this is meant for the runtime itself.
            let about_others = [libc::SIGCHLD, libc::SIGWINCH];
            if signal && !about_others.contains(&signals::next(signals)?.0) {
                break;
            }
        }
        Ok(())
    }
    // ANCHOR_END: finish
}
