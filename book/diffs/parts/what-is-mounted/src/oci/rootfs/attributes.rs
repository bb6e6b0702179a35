//! What mount_setattr(2) changes of a mount: its flags, how it spreads, and whose ids its files have.

use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::mount::MsFlags;

// From linux/mount.h.
pub const RDONLY: u64 = 0x1;
pub const NOSUID: u64 = 0x2;
pub const NODEV: u64 = 0x4;
pub const NOEXEC: u64 = 0x8;
/// The bits that say when a file's access time changes: one of the next two values, or none (relatime).
pub const ATIME: u64 = 0x70;
pub const NOATIME: u64 = 0x10;
pub const STRICTATIME: u64 = 0x20;
pub const NODIRATIME: u64 = 0x80;
pub const IDMAP: u64 = 0x10_0000;
pub const NOSYMFOLLOW: u64 = 0x20_0000;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Change {
    pub set: u64,
    pub clear: u64,
    /// MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE.
    pub propagation: u64,
    /// Whether it is for the mounts below it, too.
    pub recursive: bool,
}

impl Change {
    pub fn propagation(flags: MsFlags) -> Self {
        Self {
            propagation: (flags - MsFlags::MS_REC).bits(),
            recursive: flags.contains(MsFlags::MS_REC),
            ..Self::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        (self.set, self.clear, self.propagation) == (0, 0, 0)
    }

    /// Changes the mount that is open as `mounted`.
    pub fn apply(&self, mounted: impl AsFd) -> nix::Result<()> {
        match self.is_empty() {
            true => Ok(()),
            false => self.apply_with(mounted.as_fd(), None),
        }
    }

    // ANCHOR: apply_with
    /// As [`Change::apply`], with the ids of a user `namespace`.
    pub fn apply_with(
        &self,
        mounted: BorrowedFd,
        namespace: Option<BorrowedFd>,
    ) -> nix::Result<()> {
        // SAFETY: mount_attr is made of numbers, for which zero is a value.
        let mut attributes: libc::mount_attr = unsafe { mem::zeroed() };
        attributes.attr_set = self.set;
        attributes.attr_clr = self.clear;
        attributes.propagation = self.propagation;
        if let Some(namespace) = namespace {
            attributes.attr_set |= IDMAP;
            attributes.userns_fd = namespace.as_raw_fd() as u64;
        }
        let how = libc::AT_EMPTY_PATH
            | if self.recursive {
                libc::AT_RECURSIVE
            } else {
                0
            };
        let (call, size) = (libc::SYS_mount_setattr, size_of::<libc::mount_attr>());
        let mounted = mounted.as_raw_fd();
        // SAFETY: mount_setattr(2) reads a path that ends with a NUL, and a mount_attr.
        let set = unsafe { libc::syscall(call, mounted, c"".as_ptr(), how, &attributes, size) };
        Errno::result(set).map(drop)
    }
    // ANCHOR_END: apply_with
}
