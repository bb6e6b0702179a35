//! `process.terminal`: a terminal in the container, whose other side goes to whoever has asked for it. pty(7), unix(7).

use std::io::stdin;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::Uid;
use oci_spec::runtime::Process;

use crate::terminal::pty;

// ANCHOR: open
/// In the container: creates the terminal, and sends our side through `socket`.
pub fn open(socket: &UnixStream, process: &Process, is_first: bool, to_file: bool) -> Result<()> {
    let size = process.console_size().as_ref().map(|size| {
        [size.height(), size.width()].map(|length| u16::try_from(length).unwrap_or(u16::MAX))
    });
    let owner = Uid::from_raw(process.user().uid());
    pty::open(socket, owner, size)?;
    if to_file {
        // There, nobody wants carriage returns.
        let mut settings = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
        settings.output_flags.remove(OutputFlags::ONLCR);
        tcsetattr(stdin(), SetArg::TCSANOW, &settings)
            .context("cannot change the terminal's settings")?;
    }
    if is_first {
        pty::be_console()?;
    }
    pty::control()
}
// ANCHOR_END: open

// ANCHOR: ends
/// The socket that the container sends its terminal to, and our end of it, if we are to use it. `wanted` says whether it
/// has one, and `detached`, that nobody waits for it here.
pub fn ends(
    socket: Option<&Path>,
    wanted: bool,
    detached: bool,
) -> Result<(Option<UnixStream>, Option<UnixStream>)> {
    match (socket, wanted, detached) {
        (Some(path), true, true) => Ok((Some(connect(path)?), None)),
        (None, true, true) => {
            bail!("process.terminal: there is nobody to use it\nhint: use --console-socket")
        }
        (Some(_), ..) => bail!("--console-socket is for a detached process with a terminal"),
        (None, true, false) => {
            let (ours, theirs) = UnixStream::pair().context("cannot create a socket pair")?;
            Ok((Some(theirs), Some(ours)))
        }
        (None, false, _) => Ok((None, None)),
    }
}
// ANCHOR_END: ends

/// The socket at which somebody waits for a terminal: `--console-socket`.
fn connect(path: &Path) -> Result<UnixStream> {
    // Whoever listens there may have been started together with us.
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match UnixStream::connect(path) {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            connected => {
                return connected.with_context(|| {
                    format!("--console-socket: cannot connect to {}", path.display())
                });
            }
        }
    }
}
