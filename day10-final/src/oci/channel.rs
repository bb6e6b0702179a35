//! What the runtime and the container's first process tell each other, one line of JSON at a time: unix(7).

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Context, Error, Result};
use oci_spec::runtime::Spec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::oci::bundle::fields;
use crate::oci::cgroup::Groups;
use crate::state::process::Process;

/// In bytes: a configuration can be long, but no longer than [`crate::oci::bundle`] reads.
const MOST: u64 = 32 << 20;

// ANCHOR: orders
/// What the runtime wants of the process that it has started.
#[derive(Serialize, Deserialize)]
pub struct Orders {
    pub id: String,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    #[serde(deserialize_with = "fields::spec")]
    pub spec: Spec,
    /// For `exec`: the container that is there already.
    pub join: Option<Process>,
    /// The container's cgroups, which exist already.
    pub groups: Groups,
    /// Those of them that the process has to enter by itself.
    pub to_enter: Vec<PathBuf>,
    /// Whether what the terminal prints goes to a file or a pipe.
    pub to_file: bool,
    /// How many descriptors besides 0, 1 and 2 the command inherits.
    pub preserve_fds: u32,
    /// Whether the runtime is root, and can open our files in /proc even if nobody else may.
    pub by_root: bool,
    /// How many of them systemd has passed to us.
    pub listen_fds: u32,
    /// See `--no-pivot`.
    pub no_pivot: bool,
    pub new_keyring: bool,
}
// ANCHOR_END: orders

// ANCHOR: news
/// What that process says. After most of these, it waits until the runtime has done its part.
#[derive(Serialize, Deserialize)]
pub enum News {
    /// It is in a new user namespace, whose ids nobody has mapped yet.
    IdsWanted,
    /// One of the container's cgroups is not there any more.
    GroupGone,
    /// It wants to know which descriptor of the runtime is the new network namespace.
    NetworkWanted,
    /// It has started the container's first process, which has this pid on the host.
    Started(i32),
    /// The mounts are complete, and the root is still the host's: the moment for the hooks.
    Mounted,
    /// Its descriptor with this number tells of the system calls that the seccomp profile wants to ask about.
    Listening(RawFd),
    /// What the user should know, and what they may want to know. It does not wait after these.
    Warned(String),
    Noted(String),
    /// The moment for the limits: after it, its user may be one whose limits the runtime may not change.
    Limits,
    /// Everything is done but the command itself.
    Ready,
    Failed(String),
}
// ANCHOR_END: news

/// One end of a socket between both.
pub struct Channel {
    socket: BufReader<UnixStream>,
}

impl Channel {
    pub fn new(socket: UnixStream) -> Self {
        let socket = BufReader::new(socket);
        Self { socket }
    }

    pub fn send(&self, message: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(message).context("cannot serialize a message")?;
        line.push(b'\n');
        self.socket
            .get_ref()
            .write_all(&line)
            .context("cannot send a message")
    }

    /// Sends the orders, or lets the other end go on. If it has closed already, this is not an error yet: its last message
    /// will tell.
    pub fn order(&self, message: &impl Serialize) -> Result<()> {
        let closed = |error: &Error| {
            let error = error.downcast_ref::<io::Error>();
            error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
        };
        match self.send(message) {
            Err(error) if closed(&error) => Ok(()),
            sent => sent,
        }
    }

    /// The next message, or None if the other end is closed.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let mut line = Vec::new();
        let mut some = self.socket.by_ref().take(MOST);
        match some.read_until(b'\n', &mut line) {
            // It has ended before it has read everything.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            read => read.context("cannot receive a message")?,
        };
        match line.is_empty() {
            true => Ok(None),
            false => Ok(Some(
                serde_json::from_slice(&line).context("cannot understand a message")?,
            )),
        }
    }

    // ANCHOR: tell
    /// Sends `news`, and waits until the other side has done what follows from it.
    pub fn tell(&mut self, news: News) -> Result<()> {
        self.send(&news)?;
        self.receive::<()>()?.context("the runtime has ended")
    }
    // ANCHOR_END: tell

    /// Lets the other side go on.
    pub fn go_on(&self) -> Result<()> {
        self.order(&())
    }
}
