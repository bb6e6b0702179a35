//! From what was typed after `run` to the container that it describes. For `parent`.

use crate::cli::RunOptions;
use crate::container::Container;

impl RunOptions {
    /// The container that the user asked for.
    pub fn container(self) -> Container {
        Container {
            hostname: self.hostname,
            command: self.command,
        }
    }
}
