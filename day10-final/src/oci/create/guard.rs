//! What has to be undone if a container cannot be created.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::oci::cgroup::Groups;
use crate::oci::channel::Channel;
use crate::oci::container::{Container, Status};
use crate::oci::store::Entry;
use crate::oci::{hooks, log};

/// What there is so far.
pub struct Guard {
    pub entry: Option<Entry>,
    pub groups: Option<Groups>,
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
        if let Some(groups) = self.groups.take()
            && let Err(error) = groups.kill_all().and_then(|()| groups.remove())
        {
            log::warn(&format!("{error:#}"));
        }
        if let Some(entry) = self.entry.take()
            && let Err(error) = entry.remove()
        {
            log::warn(&format!("{error:#}"));
        }
        if let Some(container) = self.container.take() {
            // What the hooks before have done, these undo: runtime.md, "Lifecycle".
            let state = container.state(Status::Stopped);
            hooks::run_poststop(container.spec.hooks().as_ref(), &state);
        }
    }
    // ANCHOR_END: undo
}
