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
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::tcgetattr;
use nix::unistd::{Pid, getpid};

use crate::failure::say;

/// We do not forward the kernel's answers to the runtime's own mistakes, nor what stops a background job.
const LEFT_ALONE: [Signal; 11] = {
    use Signal::*;
    [
        SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGPIPE, SIGSEGV, SIGSYS, SIGTRAP, SIGTTIN, SIGTTOU,
        SIGURG,
    ]
};

/// A terminal sends these to every process in its foreground or background: for a key, a new size, a read, a write.
const FROM_TERMINAL: [i32; 6] = {
    use libc::*;
    [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH]
};

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
pub fn forward(signals: &SignalFd, child: Pid, at_keyboard: Option<Pid>) -> Result<()> {
    let (signal, from_kernel) = next(signals)?;
    heed(signal, from_kernel, child, at_keyboard)
}

/// Waits for the next signal, and tells whether it comes from the kernel, perhaps through [`queue`].
pub fn next(signals: &SignalFd) -> Result<(i32, bool)> {
    let info = signals.read_signal().context("cannot read a signal")?;
    let info = info.context("cannot read a signal")?;
    // To a PID 1, a sender from outside has the pid 0. In that case, its command has not received the signal yet.
    let queued = info.ssi_code == libc::SI_QUEUE && info.ssi_pid != 0;
    let from_kernel = info.ssi_code == libc::SI_KERNEL || queued;
    Ok((info.ssi_signo as i32, from_kernel))
}

/// Forwards `signal` to `child` unless it is about the child.
///
/// Ctrl-C comes from the kernel, for every process in the terminal's foreground. `at_keyboard` is not there, so we pass
/// it on.
pub fn heed(signal: i32, from_kernel: bool, child: Pid, at_keyboard: Option<Pid>) -> Result<()> {
    match signal {
        libc::SIGCHLD => Ok(()),
        // There is no other way to ask whether a terminal has been closed.
        libc::SIGHUP if from_kernel || tcgetattr(io::stdin()) == Err(Errno::EIO) => hang_up(child),
        libc::SIGTSTP if at_keyboard.is_some() => {
            let group = Pid::from_raw(-child.as_raw());
            // Except the process that waits for the command of `exec`: it receives everything from the keyboard.
            if at_keyboard != Some(child) {
                send(libc::SIGSTOP, group)?;
            }
            stop(getpid())?;
            send(libc::SIGCONT, group)
        }
        // That process has to know that the signal comes from the kernel.
        _ if from_kernel && at_keyboard == Some(child) => queue(signal, child),
        _ if from_kernel && FROM_TERMINAL.contains(&signal) => {
            at_keyboard.map_or(Ok(()), |whom| send(signal, whom))
        }
        _ => send(signal, child),
    }
}

/// Stops this process, and with it `whom`, as Ctrl-Z does. Returns when they are continued.
pub fn stop(whom: Pid) -> Result<()> {
    kill(whom, Signal::SIGTSTP).context("cannot suspend")?;
    let stopping = SigSet::from(Signal::SIGTSTP);
    // This is where it happens.
    stopping.thread_unblock().context("cannot suspend")?;
    stopping.thread_block().context("cannot block a signal")
}

// ANCHOR: hang_up
/// The terminal has been closed. SIGHUP ends a process that does not handle it. A PID 1 would ignore it, so we kill
/// that.
pub fn hang_up(child: Pid) -> Result<()> {
    send(libc::SIGHUP, child)?;
    if !has_asked(child, Signal::SIGHUP, &["SigBlk", "SigCgt", "SigIgn"]) {
        send(libc::SIGKILL, child)?;
    }
    Ok(())
}

/// Whether `child` blocks, handles or ignores `signal`, by these masks. A PID 1 gets no others: proc_pid_status(5).
pub fn has_asked(child: Pid, signal: Signal, masks: &[&str]) -> bool {
    let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    let is_in =
        |mask| u64::from_str_radix(mask, 16).is_ok_and(|mask| mask >> (signal as i32 - 1) & 1 == 1);
    let mut lines = status.lines().filter_map(|line| line.split_once(":\t"));
    lines.any(|(name, mask)| masks.contains(&name) && is_in(mask))
}
// ANCHOR_END: hang_up

/// Passes a signal from the kernel on to the process that waits for the command of `exec`: sigqueue(3).
fn queue(signal: i32, waiter: Pid) -> Result<()> {
    let nothing = libc::sigval {
        sival_ptr: std::ptr::null_mut(),
    };
    // SAFETY: sigqueue(3) takes two numbers, and a pointer that nobody follows.
    let sent = Errno::result(unsafe { libc::sigqueue(waiter.as_raw(), signal, nothing) });
    sent.map(drop)
        .with_context(|| format!("cannot forward signal {signal}"))
}

/// kill(2). (nix's version does not know the real-time signals.)
pub fn send(signal: i32, child: Pid) -> Result<()> {
    // SAFETY: kill(2) takes two numbers.
    let sent = Errno::result(unsafe { libc::kill(child.as_raw(), signal) });
    sent.map(drop)
        .with_context(|| format!("cannot forward signal {signal}"))
}

// ANCHOR: wait
/// Forwards signals until `child` has ended, and returns the exit code to pass on.
pub fn wait(child: Pid, signals: &SignalFd, at_keyboard: Option<Pid>) -> Result<u8> {
    loop {
        if let Some((_, status)) = ended(child).context("cannot wait for the command")? {
            return Ok(exit_code(status));
        }
        forward(signals, child, at_keyboard)?;
    }
}
// ANCHOR_END: wait

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
