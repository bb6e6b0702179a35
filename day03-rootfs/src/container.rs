//! What a container is: the one description that the parent and the child share. It knows nothing of the command line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Container {
    pub hostname: String,
    /// The directory that becomes its `/`.
    pub rootfs: PathBuf,
    /// The program and its arguments.
    pub command: Vec<String>,
}
