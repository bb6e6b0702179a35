//! What the runtime knows of a container, and its state by the specification: runtime.md, "State".

use std::collections::HashMap;
use std::path::PathBuf;

use nix::unistd::Pid;
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

use crate::oci::VERSION;
use crate::oci::bundle::fields;
use crate::state::process::Process;

// ANCHOR: container
/// The file state.json of a container.
#[derive(Serialize, Deserialize)]
pub struct Container {
    pub id: String,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    /// When it was created: RFC 3339.
    pub created: String,
    /// The host's user who has created it.
    pub owner: u32,
    /// Its first process. It need not be a PID 1: without a PID namespace, it is one of the host's.
    pub process: Process,
    /// The configuration as it was when it was created: the bundle may change, or go.
    #[serde(deserialize_with = "fields::spec")]
    pub spec: Spec,
}
// ANCHOR_END: container

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Running,
    Stopped,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

/// What `state` prints, and hooks read on their stdin. The last four are runc's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State<'a> {
    #[serde(rename = "ociVersion")]
    pub version: &'a str,
    pub id: &'a str,
    pub pid: i32,
    pub status: Status,
    pub bundle: &'a PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rootfs: Option<&'a PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<&'a HashMap<String, String>>,
}

impl Container {
    /// Its state as hooks get it.
    pub fn state(&self, status: Status) -> State<'_> {
        State {
            version: VERSION,
            id: &self.id,
            pid: match status {
                Status::Stopped => 0,
                _ => self.process.pid,
            },
            status,
            bundle: &self.bundle,
            rootfs: None,
            created: None,
            annotations: self.spec.annotations().as_ref(),
        }
    }

    /// The first process, if it has not ended.
    pub fn pid(&self) -> Option<Pid> {
        self.process
            .exists()
            .then(|| Pid::from_raw(self.process.pid))
    }

    // ANCHOR: status
    pub fn status(&self) -> Status {
        match self.pid() {
            None => Status::Stopped,
            Some(_) => Status::Running,
        }
    }
    // ANCHOR_END: status
}
