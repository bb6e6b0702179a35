//! What a container is: the one description that the parent and the child share. It knows nothing of the command line.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Container {
    pub hostname: String,
    /// The program and its arguments.
    pub command: Vec<String>,
}
