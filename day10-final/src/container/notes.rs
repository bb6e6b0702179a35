//! What others want to know about a container, although it would run without: `ps`, `inspect` and `stop` read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::network::exposed::Exposed;

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// How many words of the command are the entry point. The rest are arguments.
    pub entrypoint: usize,
    /// Which ports its programs listen on.
    pub exposed: Vec<Exposed>,
    pub labels: BTreeMap<String, String>,
    /// The signal for `stop`, as [`crate::kill`] takes it, if it is not SIGTERM.
    pub stop_signal: Option<String>,
}

impl Notes {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
