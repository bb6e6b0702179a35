//! What a container writes is its own: a layer above the root filesystem. The kernel's overlayfs.rst.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;

use crate::failure::warn;
use crate::mounts::bind;

// ANCHOR: mount
/// Mounts `rootfs` with a layer on top that is kept in `directory`, and returns where.
///
/// A file that the container changes is copied up before; what it removes is only marked as removed.
pub fn mount_over(rootfs: &Path, directory: &Path, rootless: bool) -> Result<PathBuf> {
    let [upper, work, merged] = ["upper", "work", "merged"].map(|name| directory.join(name));
    for directory in [&upper, &work, &merged] {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    match overlay(rootfs, [&upper, &work, &merged], rootless) {
        Ok(()) => (),
        Err(error) if error.is::<Errno>() => {
            let reason = "copying the root filesystem, since there is no overlayfs for it here";
            warn(&error.context(reason));
            copy(rootfs, &merged)?;
            // pivot_root(2) wants a mount point.
            bind(&merged, &merged).context("cannot mount the copy")?;
        }
        Err(error) => return Err(error),
    }
    Ok(merged)
}

/// Devices in it would be open to whoever can make them. Those that are there for all are in /dev.
fn overlay(lower: &Path, [upper, work, merged]: [&Path; 3], rootless: bool) -> Result<()> {
    // By descriptors: in a path, a comma or a colon would mean something else.
    let [lower, upper, work] = [directory(lower)?, directory(upper)?, directory(work)?];
    let path = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let (lower, upper, work) = (path(&lower), path(&upper), path(&work));
    let mut options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    if rootless {
        // Its notes go to attributes that ordinary users may set.
        options += ",userxattr";
    }
    let overlay = Some("overlay");
    Ok(mount(
        overlay,
        merged,
        overlay,
        MsFlags::MS_NODEV,
        Some(options.as_str()),
    )?)
}
// ANCHOR_END: mount

fn directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // The dot fails where this user may not enter.
    open(&path.join("."), flags, Mode::empty())
        .map_err(|errno| anyhow!("cannot make {} the root directory: {errno}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut cp = Command::new("cp");
    cp.args([OsStr::new("-a"), OsStr::new("--"), from.join(".").as_ref()]);
    let output = cp.arg(to).output().context("cannot run cp")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or("it does not say why");
    ensure!(output.status.success(), "{complaint}");
    Ok(())
}
