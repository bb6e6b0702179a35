//! What a container is: the one description that the parent and the child share. It knows nothing of the command line.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::state::id::Id;
use crate::state::pidfd::PidFd;
use crate::state::process::Process;

#[derive(Serialize, Deserialize)]
pub struct Container {
    pub id: Id,
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
    /// Where its output goes if it is in the background. In the foreground, it goes to the caller.
    pub log: Option<PathBuf>,
    /// Whether its PID 1 is [`crate::command::init`], and the command is the first child of that.
    #[serde(default)]
    pub init: bool,
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
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Stopped => "stopped",
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
}
