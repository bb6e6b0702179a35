//! What a container is: the one description that the parent and the child share.

use serde::{Deserialize, Serialize};

use crate::cli::RunOptions;

// ANCHOR: container
#[derive(Serialize, Deserialize)]
pub struct Container {
    pub hostname: String,
    /// The program and its arguments.
    pub command: Vec<String>,
}
// ANCHOR_END: container

impl Container {
    /// The container that the user has asked for.
    pub fn new(options: RunOptions) -> Self {
        Self {
            hostname: options.hostname,
            command: options.command,
        }
    }
}
