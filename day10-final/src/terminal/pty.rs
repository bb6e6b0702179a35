//! `run -t`: the container's own terminal. pty(7), ioctl_tty(2), unix(7).
//!
//! It has two sides. The command gets the one that looks like a terminal, and the runtime keeps the other: what it
//! writes there counts as typed, and what it reads has been printed. [`crate::terminal::relay`] carries both to and
//! from the caller. [`crate::child`] and [`crate::exec::guest`] open the terminal; [`crate::parent`] and
//! [`crate::exec`] receive it.

use std::io::{self, IoSlice, IoSliceMut, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, Winsize, unlockpt};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::{Uid, dup2_stderr, dup2_stdin, dup2_stdout, fchown};

use crate::failure::{FAILED, Failure};
use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing};
use crate::signals;

/// In bytes: far more than an error is long.
const MOST: usize = 16 * 1024;

/// Fails if the user wants to type (`typed`) and stdin is not a terminal. In the background nobody types, so there it
/// may be anything.
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
/// In the child: creates a terminal of `size` that belongs to `owner`, and sends the runtime's side through `socket`.
///
/// A shared terminal would let the container type into its caller's shell, with ioctl(TIOCSTI). It gets only this one.
pub fn open(socket: &UnixStream, owner: Uid, size: Option<[u16; 2]>) -> Result<()> {
    // It belongs to the container's own devpts, in which the host's terminals have no names.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY;
    let ours = place::open("/dev/ptmx", flags).context("cannot create a terminal")?;
    // SAFETY: if it were anything else, unlocking it would fail, and it would be closed.
    let ours = unsafe { PtyMaster::from_owned_fd(ours) };
    unlockpt(&ours).context("cannot unlock the terminal")?;
    let theirs = other_side(&ours).context("cannot open the terminal")?;

    // Now, because programs ask for the size when they start.
    if let Some(size) = size {
        set_size(theirs.as_fd(), size).context("cannot set the terminal's size")?;
    }
    fchown(&theirs, Some(owner), None).context("cannot give the terminal to its user")?;
    send(socket, &ours).context("cannot hand over the terminal")?;
    dup2_stdin(&theirs).context("cannot use the terminal as stdin")?;
    dup2_stdout(&theirs).context("cannot use the terminal as stdout")?;
    dup2_stderr(&theirs).context("cannot use the terminal as stderr")
}
// ANCHOR_END: open

/// From now on, Ctrl-C and the other keys that the kernel handles go to this session.
pub fn control() -> Result<()> {
    let (terminal, steal) = (libc::STDIN_FILENO, 0);
    // SAFETY: TIOCSCTTY takes a number.
    Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, steal) })
        .context("cannot make it the controlling terminal")?;
    Ok(())
}

/// Binds it to /dev/console, where init systems and syslog daemons expect a terminal. Docker does the same.
pub fn be_console() -> Result<()> {
    let console = Path::new("/dev/console");
    let place =
        place::to_mount(console, Missing::MakeFile).context("cannot create /dev/console")?;
    let terminal = Tree::of(io::stdin()).context("cannot bind mount /dev/console")?;
    terminal
        .attach(place.fd)
        .context("cannot bind mount /dev/console")
}

// ANCHOR: copy_size
/// Gives `terminal` the same size as the caller's terminal, if there is one. A SIGWINCH tells the programs that use it.
pub fn copy_size(terminal: impl AsFd) -> Result<()> {
    match callers_size() {
        Some(size) => set_size(terminal.as_fd(), size).context("cannot set the terminal's size"),
        None => Ok(()),
    }
}

/// How many rows and columns the caller's terminal has, if there is one.
pub fn callers_size() -> Option<[u16; 2]> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let callers = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    callers.into_iter().find_map(size)
}
// ANCHOR_END: copy_size

// ANCHOR: send
/// A descriptor means nothing in another process. On the way, the kernel turns it into one of the receiver's.
pub fn send(socket: &UnixStream, terminal: &impl AsRawFd) -> nix::Result<()> {
    // At least one byte must go with it.
    let (byte, fds) = ([IoSlice::new(&[0])], [terminal.as_raw_fd()]);
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(socket.as_raw_fd(), &byte, &rights, MsgFlags::empty(), None).map(drop)
}

/// In the parent: what the child has said so far, and the terminal, if it has sent one.
#[derive(Default)]
pub struct Received {
    pub said: Vec<u8>,
    pub terminal: Option<OwnedFd>,
}

impl Received {
    /// Waits for everything. If a signal that should end the runtime comes first, returns that.
    pub fn all(&mut self, socket: &UnixStream) -> Result<Option<i32>> {
        loop {
            if let Some(signal) = signals::before(socket)? {
                return Ok(Some(signal));
            }
            if !self.more(socket) {
                return Ok(None);
            }
        }
    }

    /// Waits for more, and returns false when the child's end of `socket` has closed.
    ///
    /// With `exec`, a container may get hold of that end, and send anything: we accept only so much, and only a
    /// terminal.
    pub fn more(&mut self, socket: &UnixStream) -> bool {
        let mut buffer = [0; 1024];
        let (length, sent) = match receive_once(socket, &mut buffer) {
            Err(Errno::EINTR) => return true,
            Ok((0, _)) | Err(_) => return false,
            Ok(received) => received,
        };
        match sent {
            // It came with the byte.
            Some(sent) => self.terminal = self.terminal.take().or(Some(sent)),
            None => self.said.extend(&buffer[..length]),
        }
        self.said.len() < MOST
    }
}
// ANCHOR_END: send

fn receive_once(socket: &UnixStream, to: &mut [u8]) -> nix::Result<(usize, Option<OwnedFd>)> {
    let mut space = cmsg_space!(RawFd);
    let mut to = [IoSliceMut::new(to)];
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_CMSG_CLOEXEC);
    let message = recvmsg::<()>(fd, &mut to, Some(&mut space), flags)?;
    let mut terminal = None;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            // SAFETY: they are new, and nobody else's.
            let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
            let fds: Vec<_> = fds.into_iter().map(own).collect();
            terminal = fds.into_iter().find(is_ours);
        }
    }
    Ok((message.bytes, terminal))
}

/// Whether it is the runtime's side of a terminal: only that knows the number of the other side.
fn is_ours(terminal: &OwnedFd) -> bool {
    let mut number = 0;
    // SAFETY: TIOCGPTN writes to `number`, and to nothing else.
    unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGPTN, &mut number) == 0 }
}

/// The side of the terminal that the command gets. We do not open it by its path, which could lead elsewhere.
fn other_side(ours: &PtyMaster) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags, as open(2) does.
    let fd = Errno::result(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The rows and columns of `terminal`, or None if it is not a terminal.
pub fn size(terminal: BorrowedFd) -> Option<[u16; 2]> {
    let mut size = winsize([0, 0]);
    // SAFETY: TIOCGWINSZ writes to `size`, and to nothing else.
    let got = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
    (got == 0).then_some([size.ws_row, size.ws_col])
}

fn set_size(terminal: BorrowedFd, size: [u16; 2]) -> nix::Result<()> {
    let size = winsize(size);
    // SAFETY: TIOCSWINSZ reads `size`, and nothing else.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) }).map(drop)
}

fn winsize([ws_row, ws_col]: [u16; 2]) -> Winsize {
    Winsize {
        ws_row,
        ws_col,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use nix::pty::posix_openpt;

    use super::*;

    fn receive(socket: &UnixStream) -> Received {
        let mut received = Received::default();
        while received.more(socket) {}
        received
    }

    #[test]
    fn only_so_much_is_read_from_the_child() {
        let (socket, mut childs_end) = UnixStream::pair().unwrap();
        childs_end.set_nonblocking(true).unwrap();
        while childs_end.write(&[b'x'; 4096]).is_ok() {}
        let said = receive(&socket).said;
        assert!((MOST..MOST + 1024).contains(&said.len()), "{}", said.len());
    }

    #[test]
    fn only_a_terminal_is_accepted() {
        let pty = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
        unlockpt(&pty).unwrap();
        let theirs = other_side(&pty).unwrap();
        let file = File::open("/dev/null").unwrap();
        for (sent, taken) in [
            (pty.as_raw_fd(), true),
            (theirs.as_raw_fd(), false),
            (file.as_raw_fd(), false),
        ] {
            let (socket, childs_end) = UnixStream::pair().unwrap();
            send(&childs_end, &sent).unwrap();
            drop(childs_end);
            assert_eq!(receive(&socket).terminal.is_some(), taken);
        }
    }
}
