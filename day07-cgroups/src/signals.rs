//! Whoever signals the runtime means the command, and SIGCHLD means that it has ended: signal(7), signalfd(2).

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use crate::failure::say;

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

/// In `ps | head -1`, a reader that has had enough ends whoever prints. Rust ignores SIGPIPE, and would print an error.
pub fn end_with_the_reader() -> Result<()> {
    // SAFETY: no handler is installed.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.context("cannot reset SIGPIPE")?;
    Ok(())
}

// ANCHOR: before
/// Waits until `socket` can be read. If a signal that should end the runtime comes first, returns that. All others stay
/// in the queue, for [`forward`].
pub fn before(socket: &UnixStream) -> Result<Option<i32>> {
    use Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let ending = SigSet::from_iter([SIGHUP, SIGINT, SIGQUIT, SIGTERM]);
    let ending = SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC);
    let ending = ending.context("cannot create a signalfd")?;
    let mut either = [socket.as_fd(), ending.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    if poll(&mut either, 1000_u16).context("cannot wait")? == 0 {
        say("waiting for the command to start");
        poll(&mut either, PollTimeout::NONE).context("cannot wait")?;
    }
    if either[0].any() != Some(false) {
        return Ok(None);
    }
    let info = ending.read_signal().context("cannot read a signal")?;
    Ok(info.map(|info| info.ssi_signo as i32))
}
// ANCHOR_END: before

/// Waits for the next signal, and forwards it to `child` unless it is about the child.
pub fn forward(signals: &SignalFd, child: Pid) -> Result<()> {
    let Some(info) = signals.read_signal().context("cannot read a signal")? else {
        return Ok(());
    };
    let signal = info.ssi_signo as i32;
    // Ctrl-C comes from the kernel, to every process in the terminal's foreground: the command has had it.
    let from_terminal = info.ssi_code == libc::SI_KERNEL && FROM_TERMINAL.contains(&signal);
    if signal == libc::SIGHUP {
        hang_up(child)?;
    } else if signal != libc::SIGCHLD && !from_terminal {
        send(signal, child)?;
    }
    Ok(())
}

// ANCHOR: hang_up
/// SIGHUP ends a process that does not handle it. A PID 1 would not even get it, so we kill that.
fn hang_up(child: Pid) -> Result<()> {
    send(libc::SIGHUP, child)?;
    // Does it block, handle or ignore signal 1? proc_pid_status(5).
    let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    let has_hup = |mask| u64::from_str_radix(mask, 16).is_ok_and(|mask| mask & 1 == 1);
    let mut lines = status.lines().filter_map(|line| line.split_once(":\t"));
    if !lines.any(|(name, mask)| matches!(name, "SigBlk" | "SigCgt" | "SigIgn") && has_hup(mask)) {
        send(libc::SIGKILL, child)?;
    }
    Ok(())
}
// ANCHOR_END: hang_up

/// kill(2). (nix's version does not know the real-time signals.)
fn send(signal: i32, child: Pid) -> Result<()> {
    // SAFETY: kill(2) takes two numbers.
    let sent = Errno::result(unsafe { libc::kill(child.as_raw(), signal) });
    sent.map(drop)
        .with_context(|| format!("cannot forward signal {signal}"))
}

// ANCHOR: ended
/// Which child has ended, and how, or None while it runs. (nix's waitpid does not know the real-time signals.)
pub fn ended(child: Pid) -> nix::Result<Option<(Pid, ExitStatus)>> {
    let mut status = 0;
    // SAFETY: waitpid(2) writes to `status`, and to nothing else.
    let pid = Errno::result(unsafe { libc::waitpid(child.as_raw(), &mut status, libc::WNOHANG) })?;
    Ok((pid != 0).then(|| (Pid::from_raw(pid), ExitStatus::from_raw(status))))
}
// ANCHOR_END: ended

/// The command's own exit code, or 128 + N if signal N killed it: as sh(1) and Docker count.
pub fn exit_code(status: ExitStatus) -> u8 {
    let by_signal = || 128 + status.signal().unwrap_or_default();
    status.code().unwrap_or_else(by_signal) as u8
}
