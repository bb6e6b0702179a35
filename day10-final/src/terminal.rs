//! A terminal has one process group in its foreground: who may read it, and gets its Ctrl-C. tcsetpgrp(3).

use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The terminal of an interactive run. Given back, as it was, when this is dropped.
pub struct Terminal {
    settings: Termios,
}

impl Terminal {
    /// The terminal that the user types at, or None: in a pipe, in the background, without a terminal.
    pub fn ours() -> Option<Self> {
        let foreground = tcgetpgrp(io::stdin()) == Ok(getpgrp());
        if !foreground || !io::stdout().is_terminal() {
            return None;
        }
        let settings = tcgetattr(io::stdin()).ok()?;
        Some(Self { settings })
    }

    /// Puts the process group of `leader` in the foreground.
    ///
    /// Ours is in another PID namespace: a shell in the container would find that the terminal belongs to
    /// a group that it cannot see, and could never give it back.
    pub fn lend(&self, leader: Pid) -> Result<()> {
        tcsetpgrp(io::stdin(), leader).context("cannot hand over the terminal")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // From the background this is only allowed to who is deaf to SIGTTOU.
        let _ = SigSet::from(Signal::SIGTTOU).thread_block();
        // It may fail where the terminal has been closed: then there is nothing to give back.
        let _ = tcsetpgrp(io::stdin(), getpgrp());
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.settings);
    }
}

// ANCHOR: raw
/// The caller's terminal, while it hands on each key as it is, Ctrl-C, too. Dropped, it is as it was.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// From now on. From the background, the caller's shell stops us here until it is brought to the foreground.
    pub fn stdin() -> Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot look at the terminal's settings")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw).context("cannot set the terminal")?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // As for the one that is lent.
        let _ = SigSet::from(Signal::SIGTTOU).thread_block();
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}
// ANCHOR_END: raw
