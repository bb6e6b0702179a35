//! Whoever signals the runtime means the command: signal(7), signalfd(2).

use std::io;

use anyhow::{Context, Result};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// What is passed on to the command.
const PASSED_ON: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGTERM,
    Signal::SIGWINCH,
];

// ANCHOR: hold
/// From here on none of them ends the runtime: they queue up in the descriptor that is returned, together with
/// SIGCHLD, which tells of the child's end.
pub fn hold() -> Result<SignalFd> {
    let mut held = SigSet::from_iter(PASSED_ON);
    held.add(Signal::SIGCHLD);
    // A caller that ignores SIGCHLD hands that on, and then there is none.
    // SAFETY: no handler is installed.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.context("cannot reset SIGCHLD")?;
    held.thread_block().context("cannot block signals")?;
    SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC).context("cannot create a signalfd")
}
// ANCHOR_END: hold

/// In the child, before it becomes the command: exec would hand the blocked signals on.
pub fn release() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// As in `ps | head -1`: who reads no more ends what prints. Rust ignores SIGPIPE, and would print an error.
pub fn end_with_the_reader() -> Result<()> {
    // SAFETY: no handler is installed.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.context("cannot reset SIGPIPE")?;
    Ok(())
}

// ANCHOR: pass_on
/// Waits for the next signal, and passes it on to `child` unless it is about the child.
///
/// Ctrl-C comes from the kernel, to every process in the terminal's foreground. `at_keyboard` are those who have to be
/// told of it, since they are not there.
pub fn pass_on(signals: &SignalFd, child: Pid, at_keyboard: Option<Pid>) -> Result<()> {
    let (signal, from_keyboard) = next(signals)?;
    let whom = if from_keyboard {
        at_keyboard
    } else {
        Some(child)
    };
    match whom.filter(|_| signal != Signal::SIGCHLD) {
        Some(whom) => send(signal, whom),
        None => Ok(()),
    }
}

/// Waits for the next signal, and tells whether it comes from the kernel: where it is not SIGCHLD, from a terminal.
pub fn next(signals: &SignalFd) -> Result<(Signal, bool)> {
    let info = signals.read_signal().context("cannot read a signal")?;
    let info = info.context("cannot read a signal")?;
    let signal = Signal::try_from(info.ssi_signo as i32).context("cannot read a signal")?;
    Ok((signal, info.ssi_code == libc::SI_KERNEL))
}

/// Sends `signal` to `child`.
pub fn send(signal: Signal, child: Pid) -> Result<()> {
    kill(child, signal).with_context(|| format!("cannot pass {signal} on"))
}
// ANCHOR_END: pass_on
