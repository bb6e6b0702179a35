//! What has to be undone if a container cannot be created.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::oci::channel::Channel;
use crate::oci::container::Container;
use crate::oci::log;
use crate::oci::store::Entry;

/// What there is so far.
pub struct Guard {
    pub entry: Option<Entry>,
    pub child: Option<Pid>,
    pub container: Option<Container>,
    /// If it closed before the child is dead, that one would say so, too.
    pub channel: Option<Channel>,
}

impl Guard {
    // ANCHOR: undo
    pub fn undo(mut self) {
        if let Some(child) = self.child.take() {
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
        }
        if let Some(entry) = self.entry.take()
            && let Err(error) = entry.remove()
        {
            log::warn(&format!("{error:#}"));
        }
    }
    // ANCHOR_END: undo
}
