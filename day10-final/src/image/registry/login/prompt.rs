//! Questions to the user at the terminal. What they answer with a password is not shown: termios(3).

use std::io::{self, Write};
use std::os::fd::AsFd;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Asks for a line.
pub fn line(question: &str) -> Result<String> {
    let _ = write!(io::stderr(), "{question}");
    let mut line = String::new();
    let count = io::stdin()
        .read_line(&mut line)
        .context("cannot read the answer")?;
    if count == 0 {
        bail!("there is no answer");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

// ANCHOR: secret
/// Asks for a line without showing it.
pub fn secret(question: &str) -> Result<String> {
    let blocked = SigSet::from_iter([
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGTSTP,
    ]);
    let signals = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC)?;
    let stdin = io::stdin();
    loop {
        // A Ctrl-C must not leave behind a terminal that shows nothing.
        blocked.thread_block().context("cannot block signals")?;
        let silent = Silent::begin()?;
        let _ = write!(io::stderr(), "{question}");
        let both = [stdin.as_fd(), signals.as_fd()];
        let mut both = both.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut both, PollTimeout::NONE).context("cannot wait")?;
        let answer = (both[1].any() == Some(false)).then(|| line(""));
        drop(silent);
        let _ = writeln!(io::stderr());
        // If there was a signal, this is where it ends us, or stops us until `fg`.
        blocked.thread_unblock().context("cannot unblock signals")?;
        if let Some(answer) = answer {
            return answer;
        }
    }
}

/// The terminal while it does not show what is typed. When this is dropped, it is as it was.
struct Silent(Termios);

impl Silent {
    fn begin() -> Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot read the terminal settings")?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        // What was typed before the question is no answer to it.
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)
            .context("cannot change the terminal settings")?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
// ANCHOR_END: secret
