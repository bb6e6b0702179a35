//! `run -t`: a terminal of the container's own. pty(7), ioctl_tty(2), unix(7).
//!
//! It has two sides. The command has the one that looks like a terminal, the runtime the other one: what it writes
//! there has been typed, and what it reads has been printed. [`crate::relay`] goes between it and the caller.

use std::io::{self, IoSlice, IoSliceMut, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, Winsize, posix_openpt, unlockpt};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::{Uid, dup2_stderr, dup2_stdin, dup2_stdout, fchown};

use crate::failure::{FAILED, Failure};
use crate::mounts::Tree;
use crate::place::{self, Missing};

/// What a pipe cannot do, for who is `typed` to. In the background nobody types, so there it may be one.
pub fn check_stdin(typed: bool) -> Result<(), Failure> {
    if !typed || io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure {
        code: FAILED,
        reason: anyhow!("cannot use -t: the input device is not a TTY\nhint: leave out -t"),
    })
}

// ANCHOR: open
/// In the child: makes a terminal that belongs to `owner`, and sends the runtime's side of it over `socket`.
///
/// A shared one would let the container type into its caller's shell, with ioctl(TIOCSTI). This one is all it has.
pub fn open(socket: &UnixStream, owner: Uid) -> Result<()> {
    // Opens /dev/ptmx: of the container's own devpts, so the host's terminals have no names in here.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let ours = posix_openpt(flags).context("cannot create a terminal")?;
    unlockpt(&ours).context("cannot unlock the terminal")?;
    let theirs = other_side(&ours).context("cannot open the terminal")?;

    // Until here 0, 1 and 2 are the caller's. Now, since a program asks for the size when it starts.
    copy_size(&theirs)?;
    fchown(&theirs, Some(owner), None).context("cannot give the terminal to its user")?;
    send(socket, &ours).context("cannot hand over the terminal")?;
    dup2_stdin(&theirs).context("cannot read the terminal")?;
    dup2_stdout(&theirs).context("cannot write stdout to the terminal")?;
    dup2_stderr(&theirs).context("cannot write stderr to the terminal")
}
// ANCHOR_END: open

/// From here on Ctrl-C, and what else is typed there for the kernel, goes to this session.
pub fn control() -> Result<()> {
    let (terminal, steal) = (libc::STDIN_FILENO, 0);
    // SAFETY: TIOCSCTTY takes a number.
    Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, steal) })
        .context("cannot make the terminal the session's own")?;
    Ok(())
}

/// Puts it where an init system and a syslog expect one, as in Docker.
pub fn be_console() -> Result<()> {
    let console = Path::new("/dev/console");
    let place =
        place::to_mount(console, Missing::MakeFile).context("cannot create /dev/console")?;
    let terminal = Tree::of(io::stdin()).context("cannot bind /dev/console")?;
    terminal
        .attach(place.fd)
        .context("cannot bind /dev/console")
}

// ANCHOR: copy_size
/// Makes `terminal` as wide and as high as the caller's, if they have one: who uses it is told by a SIGWINCH.
pub fn copy_size(terminal: impl AsFd) -> Result<()> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let callers = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    match callers.into_iter().find_map(size) {
        Some(size) => set_size(terminal.as_fd(), &size).context("cannot set the terminal's size"),
        None => Ok(()),
    }
}
// ANCHOR_END: copy_size

// ANCHOR: send
/// A descriptor means nothing in another process. The kernel makes it one of the receiver's on the way.
fn send(socket: &UnixStream, terminal: &PtyMaster) -> nix::Result<()> {
    // At least one byte has to go with it.
    let (byte, fds) = ([IoSlice::new(&[0])], [terminal.as_raw_fd()]);
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(socket.as_raw_fd(), &byte, &rights, MsgFlags::empty(), None).map(drop)
}

/// In the parent: all that the child says until its end of `socket` closes, and the terminal, if it has sent one.
pub fn receive(socket: &UnixStream) -> (Vec<u8>, Option<OwnedFd>) {
    let (mut said, mut terminal) = (Vec::new(), None);
    loop {
        let mut buffer = [0; 1024];
        let (length, sent) = match receive_once(socket, &mut buffer) {
            Err(Errno::EINTR) => continue,
            Ok((0, _)) | Err(_) => return (said, terminal),
            Ok(received) => received,
        };
        match sent {
            // It came with the byte.
            Some(sent) => terminal = Some(sent),
            None => said.extend(&buffer[..length]),
        }
    }
}
// ANCHOR_END: send

fn receive_once(socket: &UnixStream, to: &mut [u8]) -> nix::Result<(usize, Option<OwnedFd>)> {
    let mut space = cmsg_space!(RawFd);
    let mut to = [IoSliceMut::new(to)];
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_CMSG_CLOEXEC);
    let message = recvmsg::<()>(fd, &mut to, Some(&mut space), flags)?;
    let terminal = message.cmsgs()?.find_map(|control| match control {
        // SAFETY: it is new, and nobody else's.
        ControlMessageOwned::ScmRights(fds) => Some(unsafe { OwnedFd::from_raw_fd(fds[0]) }),
        _ => None,
    });
    Ok((message.bytes, terminal))
}

/// The side of the terminal that the command gets: without a path, which could lead elsewhere.
fn other_side(ours: &PtyMaster) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags, as open(2) does.
    let fd = Errno::result(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// None where `terminal` is none.
fn size(terminal: BorrowedFd) -> Option<Winsize> {
    let mut size = Winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes to `size`, and to nothing else.
    let got = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
    (got == 0).then_some(size)
}

fn set_size(terminal: BorrowedFd, size: &Winsize) -> nix::Result<()> {
    // SAFETY: TIOCSWINSZ reads `size`, and nothing else.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, size) }).map(drop)
}
