//! Filesystems of the host, mounted as seen from its root: mount(2), chroot(2).

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{OFlag, open};
use nix::mount::mount;
use nix::sys::stat::Mode;
use nix::unistd::{chroot, fchdir};

use crate::oci::rootfs::mount::plan::{PATH, Plan};
use crate::rootfs::place::{self, Missing, Place};

impl Plan {
    // ANCHOR: mount_from
    /// A filesystem from the host: the paths of its device, or of an overlay's directories, begin at the `host`'s root.
    /// They may be longer than the 255 bytes that fsconfig(2) takes.
    pub(super) fn mount_from(&self, host: BorrowedFd, place: &Place) -> Result<()> {
        ensure!(!self.kind.is_empty(), "type is missing");
        let data = self.options.data.join(",");
        // All at once: the medium itself may be read-only, and what we find at this path later may be another mount, if
        // a container shares a directory in it.
        let flags = self.options.own.flags() | self.options.all.flags();
        let (source, kind) = (Some(&self.source), Some(self.kind.as_str()));
        seen_from(host, || {
            fchdir(&place.fd)?;
            mount(source, ".", kind, flags, Some(data.as_str()))
                .with_context(|| format!("cannot mount a filesystem of type {}", self.kind))
        })?;
        for change in &self.options.propagation {
            change.apply(place::find(&place.path, Missing::Fail)?.fd)?;
        }
        Ok(())
    }
    // ANCHOR_END: mount_from
}

// ANCHOR: seen_from
/// Does the `work` with the `host`'s root as ours.
fn seen_from<T>(host: BorrowedFd, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let own = open("/", PATH | OFlag::O_DIRECTORY, Mode::empty()).context("cannot open /")?;
    let change = |root: BorrowedFd| fchdir(root).and_then(|()| chroot("."));
    change(host).context("cannot step back to the host's root")?;
    let done = work();
    change(own.as_fd()).context("cannot return to the root filesystem")?;
    done
}
// ANCHOR_END: seen_from
