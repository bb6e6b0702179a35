//! Tells whether the kernel has killed a process of the container because its memory was used up. "Memory" in
//! cgroup-v2.rst, and "OOM Control" in the kernel's cgroup-v1/memory.rst.

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::file::number_of;

impl Groups {
    /// How many processes the kernel has killed because the memory was used up. Without the controller, 0.
    pub fn oom_kills(&self) -> u64 {
        let name = if self.is_unified {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        let group = self.path("memory");
        group
            .and_then(|group| number_of(group, name, "oom_kill").ok())
            .unwrap_or(0)
    }
}
