//! What a container is: the one description that the parent and the child share. It knows nothing of the command line.

pub mod notes;
pub mod origin;

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cgroup::limits::Limits;
use crate::container::notes::Notes;
use crate::container::origin::Origin;
use crate::network::Net;
use crate::network::lookup::Lookup;
use crate::network::ports::Ports;
use crate::network::subnet::Subnet;
use crate::privileges::Privileges;
use crate::rootfs::volume::Volumes;
use crate::state::id::Id;
use crate::state::pidfd::PidFd;
use crate::state::process::Process;

#[derive(Serialize, Deserialize)]
pub struct Container {
    pub id: Id,
    /// See [`crate::state::name`]. Containers of earlier days have none.
    #[serde(default)]
    pub name: String,
    pub hostname: String,
    /// The directory that becomes its `/`.
    pub rootfs: PathBuf,
    /// The program and its arguments.
    pub command: Vec<String>,
    pub status: Status,
    /// In UTC, to the second: RFC 3339.
    pub created_at: String,
    /// Its PID 1, as the host sees it.
    #[serde(flatten)]
    pub process: Option<Process>,
    /// Of its command, once it has ended: see [`crate::parent::run`].
    pub exit_code: Option<u8>,
    /// In the same format as [`created_at`](Self::created_at). None if nobody saw it end.
    #[serde(default)]
    pub finished_at: Option<String>,
    /// Whether it is removed once it has ended: `--rm`.
    #[serde(default)]
    pub remove: bool,
    /// What [`crate::command::environment`] adds for its command.
    #[serde(default)]
    pub environment: Vec<String>,
    /// The working directory of its command, if it is not `/`.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// Where its output goes if it is in the background. In the foreground, it goes to the caller.
    #[serde(default)]
    pub log: Option<PathBuf>,
    /// Whether its PID 1 is [`crate::command::init`], and the command is the first child of that.
    #[serde(default)]
    pub init: bool,
    /// Whether its stdin stays open: see [`crate::detach`] and [`crate::terminal::relay`].
    #[serde(default)]
    pub interactive: bool,
    /// Whether it has a terminal of its own: see [`crate::terminal::pty`].
    #[serde(default)]
    pub tty: bool,
    /// The terminal's rows and columns, which are the caller's.
    #[serde(default)]
    pub console: Option<[u16; 2]>,
    #[serde(default)]
    pub limits: Limits,
    /// The directories of its group: see [`crate::cgroup`].
    #[serde(default)]
    pub cgroup: Vec<PathBuf>,
    /// Whether the kernel has killed it because its memory was used up.
    #[serde(default)]
    pub out_of_memory: bool,
    #[serde(default)]
    pub net: Net,
    /// Its address in the bridge's network.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// The bridge's network.
    #[serde(default)]
    pub subnet: Subnet,
    /// Those of the host's ports that lead to it.
    #[serde(default)]
    pub ports: Ports,
    /// Where its hosts, hostname and resolv.conf are, if we have anything to add to them: see [`crate::network::etc`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // On earlier days, this is always a path.
    pub etc: Option<PathBuf>,
    /// What the user has added to two of these files.
    #[serde(default)]
    pub lookup: Lookup,
    /// Where we keep what it writes: see [`crate::rootfs::layer`].
    #[serde(default)]
    pub layer: PathBuf,
    #[serde(default)]
    pub volumes: Volumes,
    #[serde(default)]
    pub privileges: Privileges,
    /// The image below its layer, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Origin>,
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
    /// Fields that a later day's program has written. They stay when this program changes a record.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It has a record, but no process yet.
    Created,
    Running,
    /// By itself.
    Exited,
    /// By [`crate::stop`].
    Stopped,
}

impl Display for Status {
    /// Docker does not have a separate word for a container that was stopped.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Exited | Self::Stopped => "exited",
        })
    }
}

impl Container {
    /// The record of a container whose `run` was killed still says that it runs.
    pub fn notice_its_end(&mut self) {
        let alive = || self.process.as_ref().is_some_and(Process::is_alive);
        if self.status == Status::Running && !alive() {
            self.status = Status::Exited;
        }
    }

    /// Its PID 1, or None if that has ended.
    pub fn running(&self) -> Result<Option<PidFd>> {
        match &self.process {
            Some(process) if self.status == Status::Running => PidFd::of(process),
            _ => Ok(None),
        }
    }

    /// The directories below its layer, the uppermost first. The layers of an image are beside each other.
    pub fn lower(&self) -> Vec<PathBuf> {
        match &self.image {
            Some(Origin { layers, .. }) => {
                let layers = layers.iter().rev();
                layers
                    .map(|chain| self.rootfs.with_file_name(chain.hex()))
                    .collect()
            }
            None => vec![self.rootfs.clone()],
        }
    }

    /// Whether its stdin, stdout and stderr are not the caller's, but its own terminal or its log.
    pub fn has_own_stdio(&self) -> bool {
        self.tty || self.log.is_some()
    }
}

/// The current time as records have it, to the second.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
