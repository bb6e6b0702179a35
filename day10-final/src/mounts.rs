//! What the other files need to mount something: mount(2), mount_setattr(2).

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{ffi::CStr, ffi::CString, mem};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::statvfs;

/// What is mounted so has neither programs nor devices: data, and nothing else.
pub const DATA: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

/// Lets the file or directory `there` be seen at `here`, too, with all that is mounted below.
pub fn bind(there: impl AsRef<Path>, here: impl AsRef<Path>) -> nix::Result<()> {
    let (nothing, flags) = (None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC);
    mount(Some(there.as_ref()), here.as_ref(), nothing, flags, nothing)
}

/// Mounts a new filesystem of the type `kind`.
pub fn mount_new(kind: &str, here: impl AsRef<Path>, flags: MsFlags, options: &str) -> Result<()> {
    let here = here.as_ref();
    mount(Some(kind), here, Some(kind), flags, Some(options))
        .with_context(|| format!("cannot mount {}", here.display()))
}

// ANCHOR: restrict
/// Adds `flags` (MS_RDONLY, MS_NODEV, …) to those of what is mounted `here`.
pub fn restrict(here: impl AsRef<Path>, flags: MsFlags) -> Result<()> {
    add(here.as_ref(), 0, flags)
}

/// The same for all that is mounted below, too.
pub fn restrict_all(here: impl AsRef<Path>, flags: MsFlags) -> Result<()> {
    add(here.as_ref(), libc::AT_RECURSIVE, flags)
}

fn add(here: &Path, how: i32, flags: MsFlags) -> Result<()> {
    let path = CString::new(here.as_os_str().as_bytes())?;
    match mount_setattr(&path, how, flags) {
        // Before Linux 5.12 it can be done for one mount, all of whose flags must be named.
        Err(Errno::ENOSYS) => {
            let has = MsFlags::from_bits_truncate(statvfs(here)?.flags().bits());
            let kept = has & (DATA | MsFlags::MS_RDONLY);
            let (nothing, again) = (None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_BIND);
            Ok(mount(
                nothing,
                here,
                nothing,
                again | kept | flags,
                nothing,
            )?)
        }
        restricted => Ok(restricted?),
    }
}

fn mount_setattr(path: &CStr, how: i32, flags: MsFlags) -> nix::Result<()> {
    // SAFETY: mount_attr is made of numbers, for which zero is a value.
    let mut attributes: libc::mount_attr = unsafe { mem::zeroed() };
    // The flags that are used here have the same values in both calls.
    attributes.attr_set = flags.bits();
    let size = size_of::<libc::mount_attr>();
    let (call, here) = (libc::SYS_mount_setattr, libc::AT_FDCWD);
    // SAFETY: mount_setattr(2) reads a path that ends with a NUL, and a mount_attr.
    let set = unsafe { libc::syscall(call, here, path.as_ptr(), how, &attributes, size) };
    Errno::result(set).map(drop)
}
// ANCHOR_END: restrict

// ANCHOR: directory
/// Makes sure that `point` is a directory of the container's own, for something to be mounted on.
///
/// mount(2) follows links, to wherever the author of the root filesystem wants.
pub fn directory(point: &str, rootfs: &Path) -> Result<()> {
    let place = format!("{}{point}", rootfs.display());
    match fs::symlink_metadata(point) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(found) if found.is_symlink() => bail!("cannot mount {point}: {place} is a link"),
        Ok(_) => bail!("cannot mount {point}: {place} is not a directory"),
        Err(_) => fs::create_dir(point).with_context(|| format!("cannot create {point}")),
    }
}
// ANCHOR_END: directory

/// Makes sure that there is something at `point` on which `there` can be mounted: a file, or else a directory.
///
/// Links lead to places in the container.
pub fn place_for(there: &Path, point: &Path) -> Result<()> {
    let cannot = || anyhow!("cannot create {}", point.display());
    let directory = if there.is_dir() {
        point
    } else {
        point.parent().unwrap_or(point)
    };
    fs::create_dir_all(directory).with_context(cannot)?;
    if !there.is_dir() && !point.exists() {
        File::create(point).with_context(cannot)?;
    }
    Ok(())
}
