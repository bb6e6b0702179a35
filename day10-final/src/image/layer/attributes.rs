//! What an entry has besides its content: owner, mode, extended attributes, and time.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::BorrowedFd;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{
    FchmodatFlags, Mode, UtimensatFlags, fchmod, fchmodat, fstat, futimens, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat};

use crate::host::has;

pub struct Attributes {
    pub user: u32,
    pub group: u32,
    pub mode: u32,
    pub time: TimeSpec,
}

/// Gives a user who has only one id a range of them.
const MORE_IDS: &str = "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER";

impl Attributes {
    // ANCHOR: set
    /// Applies them to a file or directory, except the time. The owner comes first, because a new owner takes setuid,
    /// setgid and capabilities away: chown(2).
    pub fn set(&self, fd: BorrowedFd) -> Result<()> {
        let now = fstat(fd)?;
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
        Ok(())
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
        let follow = UtimensatFlags::NoFollowSymlink;
        utimensat(dir, name, &TimeSpec::UTIME_OMIT, &self.time, follow)
            .context("cannot set its time")
    }

    fn permissions(&self) -> Mode {
        Mode::from_bits_truncate(self.mode)
    }

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
