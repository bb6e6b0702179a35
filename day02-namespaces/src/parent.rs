//! The host's side of `run`: starts the child, and waits for it. Called by `main`.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

use crate::cli::RunOptions;
use crate::container::Container;
use crate::failure::Failure;
use crate::terminal::Terminal;
use crate::{namespaces, signals};

/// Runs the command to its end, and returns the exit code to pass on.
pub fn run(options: RunOptions) -> Result<u8, Failure> {
    let container = options.container();
    let signals = signals::block()?;
    let mut terminal = Terminal::ours();
    let (mut socket, childs_end) = UnixStream::pair().context("cannot create a socket pair")?;
    let child = namespaces::spawn_child(childs_end, terminal.is_some())?;
    if let Some(terminal) = &mut terminal {
        terminal.lend(child)?;
    }
    // The child waits for this message, so whatever the host has to prepare comes before it.
    send(&socket, &container)?;
    if let Some(signal) = signals::before(&socket)? {
        // There is no command yet to forward it to.
        kill(child, Signal::SIGKILL).context("cannot kill the child")?;
        wait(child, &signals)?;
        return Ok(128 + signal as u8);
    }
    // Silence means success: the child's end closes by itself when its exec succeeds.
    let mut failure = Vec::new();
    let _ = socket.read_to_end(&mut failure);
    if !failure.is_empty() {
        let code = wait(child, &signals)?;
        let reason = anyhow!("{}", String::from_utf8_lossy(&failure));
        return Err(Failure { code, reason });
    }
    let code = wait(child, &signals)?;
    Ok(code)
}

/// Tells the child what to become.
fn send(mut socket: &UnixStream, container: &Container) -> Result<()> {
    let description = serde_json::to_vec(container).context("cannot serialize the container")?;
    // If the child is dead already, what it has said, or how it ended, tells more than this error.
    let sent = socket.write_all(&description);
    let _ = sent.and_then(|()| socket.shutdown(Shutdown::Write));
    Ok(())
}

/// Waits for the end of `child`, and returns the exit code to pass on.
fn wait(child: Pid, signals: &SignalFd) -> Result<u8> {
    loop {
        if let Some(status) = signals::ended(child).context("cannot wait for the command")? {
            return Ok(signals::exit_code(status));
        }
        signals::forward(signals, child)?;
    }
}
