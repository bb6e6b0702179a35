//! What an entry has besides its content: owner, mode, extended attributes, and time.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, UtimensatFlags, fchmod, fchmodat, fstat, futimens, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat};

use crate::failure::shown;
use crate::host::has;
use crate::image::layer::xattr;

#[derive(Clone)]
pub struct Attributes {
    pub user: u32,
    pub group: u32,
    pub mode: u32,
    pub time: TimeSpec,
    pub extended: BTreeMap<Vec<u8>, Vec<u8>>,
}

// ANCHOR: notes
/// With these, overlayfs keeps its notes: a layer that has them could redirect a directory, or let one file have the
/// content of another.
const NOTES: [&str; 2] = ["trusted.overlay.", "user.overlay."];

/// Each host has its own, so nobody applies those of an image.
const OF_HOST: [&str; 2] = ["security.selinux", "system.nfs4_acl"];
// ANCHOR_END: notes

/// Gives a user who has only one id a range of them.
const MORE_IDS: &str = "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER";

impl Attributes {
    // ANCHOR: set
    /// Applies them to a file or directory, except the time. The owner comes first, because a new owner takes setuid,
    /// setgid and capabilities away: chown(2).
    pub fn set(&self, fd: BorrowedFd) -> Result<()> {
        self.change(fd, &fstat(fd)?)
    }

    /// The same, if it is known what it is like `now`.
    pub fn change(&self, fd: BorrowedFd, now: &FileStat) -> Result<()> {
        if (now.st_uid, now.st_gid) != (self.user, self.group) {
            let owner = (
                Some(Uid::from_raw(self.user)),
                Some(Gid::from_raw(self.group)),
            );
            fchown(fd, owner.0, owner.1).map_err(|errno| self.no_owner(errno))?;
        }
        if now.st_mode & 0o7777 != self.mode {
            fchmod(fd, self.permissions()).context("cannot set its mode")?;
        }
        self.set_extended(|name, value| xattr::set(fd, name, value))
    }
    // ANCHOR_END: set

    pub fn set_time(&self, fd: BorrowedFd) -> Result<()> {
        set_time(fd, self.time)
    }

    /// Applies them to `name` in `dir`: a link, a device or a FIFO that we have created. A link is not followed.
    pub fn set_at(&self, dir: BorrowedFd, name: &OsStr, is_link: bool) -> Result<()> {
        let owner = (
            Some(Uid::from_raw(self.user)),
            Some(Gid::from_raw(self.group)),
        );
        fchownat(dir, name, owner.0, owner.1, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| self.no_owner(errno))?;
        if !is_link {
            fchmodat(
                dir,
                name,
                self.permissions(),
                FchmodatFlags::NoFollowSymlink,
            )
            .context("cannot set its mode")?;
        }
        if !self.extended.is_empty() {
            // Only for open files are there calls without a path.
            let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
            path.extend(name.as_bytes());
            let path = CString::new(path)?;
            self.set_extended(|name, value| xattr::set_at(&path, name, value))?;
        }
        let follow = UtimensatFlags::NoFollowSymlink;
        utimensat(dir, name, &TimeSpec::UTIME_OMIT, &self.time, follow)
            .context("cannot set its time")
    }

    fn permissions(&self) -> Mode {
        Mode::from_bits_truncate(self.mode)
    }

    // ANCHOR: set_extended
    fn set_extended(&self, set: impl Fn(&CString, &[u8]) -> nix::Result<()>) -> Result<()> {
        for (name, value) in &self.extended {
            let text = String::from_utf8_lossy(name);
            if is_note(&text) {
                bail!("its attribute {} belongs to overlayfs", shown(&text));
            }
            if OF_HOST.contains(&&text[..]) {
                continue;
            }
            let key = CString::new(&name[..]).context("there is a zero in an attribute's name")?;
            match set(&key, value) {
                // Like Docker, we do without what the filesystem does not have, or a user may not set.
                Err(Errno::EOPNOTSUPP | Errno::EPERM) => (),
                done => {
                    done.with_context(|| format!("cannot set its attribute {}", shown(&text)))?
                }
            }
        }
        Ok(())
    }
    // ANCHOR_END: set_extended

    /// Why it cannot have the owner that it should have.
    fn no_owner(&self, errno: Errno) -> anyhow::Error {
        let Self { user, group, .. } = self;
        let owner = format!("it belongs to user {user} and group {group}");
        if errno != Errno::EINVAL {
            return anyhow!("{owner}: {errno}");
        }
        let ids = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let hint = match ids.lines().count() {
            2.. => "your range in /etc/subuid and /etc/subgid is too short".to_owned(),
            _ if has("newuidmap") => MORE_IDS.to_owned(),
            _ => format!("install uidmap, then run {MORE_IDS}"),
        };
        anyhow!("{owner}, who is not among your users and groups\nhint: {hint}")
    }
}

pub fn set_time(fd: BorrowedFd, time: TimeSpec) -> Result<()> {
    futimens(fd, &TimeSpec::UTIME_OMIT, &time).context("cannot set its time")
}

/// Whether the attribute `name` means something to overlayfs.
pub fn is_note(name: &str) -> bool {
    NOTES.iter().any(|note| name.starts_with(note))
}

/// Takes away all extended attributes, except overlayfs's.
pub fn clear(fd: BorrowedFd) {
    for name in xattr::list(fd).unwrap_or_default() {
        if !is_note(&name.to_string_lossy()) {
            let _ = xattr::remove(fd, &name);
        }
    }
}
