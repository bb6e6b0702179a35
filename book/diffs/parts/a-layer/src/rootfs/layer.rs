//! What a container writes stays in its own layer, above the root filesystem. The kernel's overlayfs.rst.
//!
//! The parent creates the directories; [`crate::rootfs`] mounts the layer, in the child.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::MsFlags;

use crate::failure::warn;
use crate::host::program;
use crate::rootfs::mounts::{Tree, directory};

/// The parts of a layer's directory: what differs from the root filesystem, and a work area for overlayfs.
const PARTS: [&str; 2] = ["upper", "work"];

/// Creates the layer's `directory`, on the host, while the child is still starting.
pub fn create(directory: &Path) -> Result<()> {
    fs::create_dir(directory)
        .and_then(|()| {
            PARTS
                .into_iter()
                .try_for_each(|part| fs::create_dir(directory.join(part)))
        })
        .with_context(|| format!("cannot create {}", directory.display()))
}

// ANCHOR: mount
/// Mounts the `rootfs`, as changed by the layer, over the `layer`'s directory.
///
/// A file that the container changes is copied up before; what it removes is only marked as removed.
pub fn mount(rootfs: &Path, layer: &Path, rootless: bool) -> Result<()> {
    match overlay(rootfs, layer, rootless) {
        Err(error) if error.is::<Errno>() && layer.starts_with(rootfs) => {
            // For example when an ordinary user types --rootfs /. A copy of that would have to contain itself.
            warn(&error.context("cannot add a layer to this root filesystem, so it is read-only"));
            bind(rootfs, layer, MsFlags::MS_RDONLY).context("cannot mount the root filesystem")
        }
        Err(error) if error.is::<Errno>() => {
            let reason = "copying the root filesystem, because overlayfs is not available for it";
            warn(&error.context(reason));
            let copy = layer.join(PARTS[0]);
            copy_to(&copy, rootfs)?;
            // pivot_root(2) wants a mount point.
            bind(&copy, layer, MsFlags::empty()).context("cannot mount the copy")
        }
        mounted => mounted,
    }
}

/// Bind mounts `there` at `here`.
fn bind(there: &Path, here: &Path, flags: MsFlags) -> Result<()> {
    let tree = Tree::of(directory(there)?)?.restrict(MsFlags::MS_NODEV | flags)?;
    Ok(tree.attach(directory(here)?)?)
}

/// With overlayfs, or not at all.
pub fn overlay(rootfs: &Path, layer: &Path, rootless: bool) -> Result<()> {
    let [upper, work] = PARTS.map(|part| layer.join(part));
    // Through descriptors, because overlayfs would take a comma or a colon in a path for a separator.
    let [lower, upper, work] = [directory(rootfs)?, directory(&upper)?, directory(&work)?];
    let path = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let (lower, upper, work) = (path(&lower), path(&upper), path(&work));
    let mut options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    if rootless {
        // overlayfs then keeps its notes in attributes that ordinary users may set.
        options += ",userxattr";
    }
    // Without "volatile", the kernel syncs the host's entire filesystem when the container ends.
    let volatile = options.clone() + ",volatile";
    let mounted = mount_overlay(layer, &volatile);
    // Linux before 5.10 does not know this option.
    let mounted = mounted.or_else(|_| mount_overlay(layer, &options));
    // overlayfs makes directories that not even their owner may enter, so `rm -r` could not remove them.
    for closed in ["work", "work/incompat", "work/incompat/volatile"] {
        let _ = fs::set_permissions(Path::new(&work).join(closed), Permissions::from_mode(0o700));
    }
    Ok(mounted?)
}

/// With MS_NODEV: whoever can create a device node there must not be able to use it. The usual devices are in /dev.
fn mount_overlay(here: &Path, options: &str) -> nix::Result<()> {
    let overlay = Some("overlay");
    nix::mount::mount(overlay, here, overlay, MsFlags::MS_NODEV, Some(options))
}
// ANCHOR_END: mount

fn copy_to(to: &Path, from: &Path) -> Result<()> {
    let mut cp = program("cp");
    cp.args([OsStr::new("-a"), OsStr::new("--"), from.join(".").as_ref()]);
    let output = cp.arg(to).output().context("cannot run cp")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or("it gave no reason");
    ensure!(output.status.success(), "{complaint}");
    Ok(())
}
