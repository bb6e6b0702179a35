//! Whoever signals the runtime means the command, and SIGCHLD means that it has ended: signal(7), signalfd(2).

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// We do not forward the kernel's answers to the runtime's own mistakes, nor what stops an entire job.
const LEFT_ALONE: [Signal; 12] = {
    use Signal::*;
    [
        SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGPIPE, SIGSEGV, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN,
        SIGTTOU, SIGURG,
    ]
};

/// A terminal sends these to every process in its foreground: for a key, or a new size.
const FROM_TERMINAL: [i32; 3] = [libc::SIGINT, libc::SIGQUIT, libc::SIGWINCH];

/// Our caller may ignore SIGCHLD, and we inherit that. Then the kernel would not keep the exit code for us.
pub fn expect_children() {
    // SAFETY: no handler is installed.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// From now on, signals do not end the runtime. They queue up in the descriptor that is returned, together with
/// SIGCHLD, which reports the child's end.
pub fn block() -> Result<SignalFd> {
    let mut blocked = SigSet::all();
    LEFT_ALONE.iter().for_each(|signal| blocked.remove(*signal));
    blocked.thread_block().context("cannot block signals")?;
    SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC).context("cannot create a signalfd")
}

/// In the child, before it becomes the command: a signal that is blocked stays blocked after exec.
pub fn unblock() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Waits for the next signal, and forwards it to `child` unless it is about the child.
pub fn forward(signals: &SignalFd, child: Pid) -> Result<()> {
    let Some(info) = signals.read_signal().context("cannot read a signal")? else {
        return Ok(());
    };
    let signal = info.ssi_signo as i32;
    // Ctrl-C comes from the kernel, to every process in the terminal's foreground: the command has had it.
    let from_terminal = info.ssi_code == libc::SI_KERNEL && FROM_TERMINAL.contains(&signal);
    if signal != libc::SIGCHLD && !from_terminal {
        send(signal, child)?;
    }
    Ok(())
}

/// kill(2). (nix's version does not know the real-time signals.)
fn send(signal: i32, child: Pid) -> Result<()> {
    // SAFETY: kill(2) takes two numbers.
    let sent = Errno::result(unsafe { libc::kill(child.as_raw(), signal) });
    sent.map(drop)
        .with_context(|| format!("cannot forward signal {signal}"))
}

/// The command's own exit code, or 128 + N if signal N killed it: as sh(1) and Docker count.
pub fn exit_code(status: ExitStatus) -> u8 {
    let by_signal = || 128 + status.signal().unwrap_or_default();
    status.code().unwrap_or_else(by_signal) as u8
}
