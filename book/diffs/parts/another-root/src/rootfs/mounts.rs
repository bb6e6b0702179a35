//! Mounts that are complete before anybody can see them: open_tree(2), fsopen(2), mount_setattr(2), move_mount(2).
//!
//! Everything in [`crate::rootfs`] that mounts something uses this.

use std::ffi::{CStr, CString};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::MsFlags;
use nix::sys::stat::Mode;

/// Flags for a mount that holds data, and neither programs nor devices.
pub const DATA: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

// From linux/mount.h.
const OPEN_TREE_CLONE: u32 = 1;
const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const CLOEXEC: u32 = 1; // of fsopen(2) and fsmount(2)
const FROM_AND_TO_DESCRIPTORS: u32 = 0x04 | 0x40;

// ANCHOR: tree
/// A mount, and those below it. No path leads to it until it is attached to a place in the container.
///
/// Others can change paths: between two lookups, a container with the same root filesystem may have put a link there.
/// So we open the source once, open the place once, and set the flags before attaching one to the other.
pub struct Tree {
    fd: OwnedFd,
}

impl Tree {
    /// A bind mount of what is open as `source`, with everything that is mounted below it.
    pub fn of(source: impl AsFd) -> nix::Result<Self> {
        let fd = open_tree(source.as_fd())?;
        Ok(Self { fd })
    }

    /// A new filesystem of the type `kind`, with `options` as mount(8) takes them.
    pub fn new(kind: &str, flags: MsFlags, options: &str) -> Result<Self> {
        let cannot = || format!("cannot create a {kind}");
        let kind = CString::new(kind)?;
        let filesystem = fsopen(&kind).with_context(cannot)?;
        let configure = |command, key: &str, value: &str| {
            let (key, value) = (CString::new(key)?, CString::new(value)?);
            fsconfig(&filesystem, command, Some(&key), Some(&value)).with_context(cannot)
        };
        configure(FSCONFIG_SET_STRING, "source", &kind.to_string_lossy())?;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some((key, value)) => configure(FSCONFIG_SET_STRING, key, value)?,
                None => fsconfig(
                    &filesystem,
                    FSCONFIG_SET_FLAG,
                    Some(&CString::new(option)?),
                    None,
                )
                .with_context(|| format!("{} with {option:?}", cannot()))?,
            }
        }
        fsconfig(&filesystem, FSCONFIG_CMD_CREATE, None, None).with_context(cannot)?;
        let fd = fsmount(&filesystem, flags).with_context(cannot)?;
        Ok(Self { fd })
    }

    /// Adds `flags` (MS_RDONLY, MS_NODEV, …) to those of every mount in it.
    pub fn restrict(self, flags: MsFlags) -> nix::Result<Self> {
        mount_setattr(self.as_fd(), libc::AT_RECURSIVE, flags)?;
        Ok(self)
    }

    /// Mounts it at the `place`, which is also open.
    pub fn attach(&self, place: impl AsFd) -> nix::Result<()> {
        move_mount(self.as_fd(), place.as_fd()).map_err(|errno| match errno {
            // The error that mount(2) would give: a file cannot cover a directory, nor a directory a file.
            Errno::EINVAL => Errno::ENOTDIR,
            _ => errno,
        })
    }
}
// ANCHOR_END: tree

/// Opens the directory `path`, which becomes a container's root, or a part of it.
pub fn directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // The dot makes this fail if the user may not enter the directory.
    open(&path.join("."), flags, Mode::empty())
        .map_err(|errno| anyhow!("cannot make {} the root directory: {errno}", path.display()))
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn open_tree(source: BorrowedFd) -> nix::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as u32;
    let flags = flags | (libc::AT_EMPTY_PATH | libc::AT_RECURSIVE) as u32;
    let (call, source) = (libc::SYS_open_tree, source.as_raw_fd());
    // SAFETY: open_tree(2) reads a path that ends with a NUL.
    descriptor(unsafe { libc::syscall(call, source, c"".as_ptr(), flags) })
}

fn mount_setattr(tree: BorrowedFd, how: i32, flags: MsFlags) -> nix::Result<()> {
    // SAFETY: mount_attr is made of numbers, for which zero is a value.
    let mut attributes: libc::mount_attr = unsafe { mem::zeroed() };
    // The flags that we use have the same values in mount(2) and in mount_setattr(2).
    attributes.attr_set = flags.bits();
    let (call, size) = (libc::SYS_mount_setattr, size_of::<libc::mount_attr>());
    let (tree, how) = (tree.as_raw_fd(), how | libc::AT_EMPTY_PATH);
    // SAFETY: mount_setattr(2) reads a path that ends with a NUL, and a mount_attr.
    let set = unsafe { libc::syscall(call, tree, c"".as_ptr(), how, &attributes, size) };
    Errno::result(set).map(drop)
}

fn move_mount(tree: BorrowedFd, place: BorrowedFd) -> nix::Result<()> {
    let (from, to, here) = (tree.as_raw_fd(), place.as_raw_fd(), c"".as_ptr());
    let (call, flags) = (libc::SYS_move_mount, FROM_AND_TO_DESCRIPTORS);
    // SAFETY: move_mount(2) reads two paths that end with a NUL.
    Errno::result(unsafe { libc::syscall(call, from, here, to, here, flags) }).map(drop)
}

fn fsopen(kind: &CStr) -> nix::Result<OwnedFd> {
    // SAFETY: fsopen(2) reads a name that ends with a NUL.
    descriptor(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC) })
}

fn fsconfig(
    filesystem: &OwnedFd,
    command: u32,
    key: Option<&CStr>,
    value: Option<&CStr>,
) -> nix::Result<()> {
    let text = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    let (call, filesystem) = (libc::SYS_fsconfig, filesystem.as_raw_fd());
    // SAFETY: fsconfig(2) reads texts that end with a NUL, or none.
    let done = unsafe { libc::syscall(call, filesystem, command, text(key), text(value), 0) };
    Errno::result(done).map(drop)
}

fn fsmount(filesystem: &OwnedFd, flags: MsFlags) -> nix::Result<OwnedFd> {
    let (call, filesystem) = (libc::SYS_fsmount, filesystem.as_raw_fd());
    // SAFETY: fsmount(2) takes numbers.
    descriptor(unsafe { libc::syscall(call, filesystem, CLOEXEC, flags.bits()) })
}

/// The descriptor that a system call returned.
fn descriptor(returned: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = Errno::result(returned)?;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
