//! System calls that an agent outside the container decides: seccomp_unotify(2).
//!
//! With SCMP_ACT_NOTIFY, loading the filter gives the container's first process a descriptor, the listener. The agent
//! needs it. But from now on, every call of that process may be one that waits for the agent. So it only tells the
//! runtime the descriptor's number, with write(2). The runtime takes its own copy with [`fetch`], and hands it to the
//! agent with [`send`]. Then the agent can let the process go on.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendmsg,
    setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use oci_spec::runtime::{ContainerProcessState, LinuxSeccomp, SECCOMP_FD_NAME, State};

const FIELD: &str = "linux.seccomp.listenerPath";

/// How long the agent may take to accept the connection, and to make room for each message. In seconds.
const PATIENCE: i64 = 10;

/// Where the agent of this profile listens. As in programs in Go, a path that begins with `@` is an abstract name:
/// unix(7).
///
/// # Errors
///
/// Fails if there is no path, or if it is too long.
pub fn address(profile: &LinuxSeccomp) -> Result<UnixAddr> {
    let path = profile
        .listener_path()
        .as_deref()
        .unwrap_or("".as_ref())
        .as_os_str();
    ensure!(
        !path.is_empty(),
        "{FIELD}: SCMP_ACT_NOTIFY needs the path of an agent's socket"
    );
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => UnixAddr::new_abstract(name),
        None => UnixAddr::new(path),
    };
    address.map_err(|error| anyhow!("{FIELD}: {}: {error}", path.display()))
}

// ANCHOR: send
/// Sends the listener to the agent, with the container process state: config-linux.md, "The Container Process State".
///
/// `pid` is the process that has loaded the filter. With `exec`, it is not the pid in `state`.
///
/// # Errors
///
/// Fails if no agent listens there, or if it does not read.
pub fn send(profile: &LinuxSeccomp, listener: BorrowedFd, pid: i32, state: State) -> Result<()> {
    let mut message = ContainerProcessState::default();
    message.set_version(state.version().clone());
    message.set_fds(vec![SECCOMP_FD_NAME.to_owned()]);
    message.set_pid(pid);
    message.set_metadata(profile.listener_metadata().clone());
    message.set_state(state);
    let message = serde_json::to_vec(&message)?;

    let address = address(profile)?;
    let agent = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // It holds for connect(2), too.
    setsockopt(&agent, SendTimeout, &TimeVal::seconds(PATIENCE))?;
    connect(agent.as_raw_fd(), &address)
        .with_context(|| format!("{FIELD}: failed to connect with seccomp agent"))?;
    send_all(agent.as_fd(), &message, listener)
        .with_context(|| format!("{FIELD}: cannot send the listener to the seccomp agent"))
}
// ANCHOR_END: send

/// The descriptor goes with the first byte. A socket may take less than all of a message.
fn send_all(agent: BorrowedFd, mut message: &[u8], listener: BorrowedFd) -> nix::Result<()> {
    let descriptors = [listener.as_raw_fd()];
    let mut descriptors: &[_] = &[ControlMessage::ScmRights(&descriptors)];
    while !message.is_empty() {
        let (part, flags) = ([IoSlice::new(message)], MsgFlags::MSG_NOSIGNAL);
        let sent = sendmsg::<()>(agent.as_raw_fd(), &part, descriptors, flags, None);
        match sent {
            Ok(sent) => {
                message = &message[sent..];
                descriptors = &[];
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
