//! The terminal is lent to the container for as long as it runs: tcsetpgrp(3). Only `parent` uses this.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The terminal of an interactive run. When this is dropped, it is given back as it was.
pub struct Terminal {
    settings: Termios,
}

impl Terminal {
    /// The terminal that the user types at, if there is one.
    pub fn ours() -> Option<Self> {
        if tcgetpgrp(io::stdin()) != Ok(getpgrp()) || !io::stdout().is_terminal() {
            return None;
        }
        let settings = tcgetattr(io::stdin()).ok()?;
        Some(Self { settings })
    }

    /// Puts the process group of `leader` in the foreground: it may read the terminal, and gets its Ctrl-C.
    ///
    /// Ours is in another PID namespace: a shell in the container would find that the terminal belongs to
    /// a group that it cannot see, and could never give it back.
    pub fn lend(&mut self, leader: Pid) -> Result<()> {
        // Without this key: Ctrl-Z would stop every process except PID 1, and nobody would continue them.
        let mut settings = self.settings.clone();
        settings.control_chars[SpecialCharacterIndices::VSUSP as usize] = 0;
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &settings).context("cannot set the terminal")?;
        tcsetpgrp(io::stdin(), leader).context("cannot hand over the terminal")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // We are in the background. From there, only a process that blocks SIGTTOU may do this.
        let _ = SigSet::from(Signal::SIGTTOU).thread_block();
        // It fails if the terminal has been closed: then there is nothing to give back.
        let _ = tcsetpgrp(io::stdin(), getpgrp());
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.settings);
    }
}
