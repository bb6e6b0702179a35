//! What a container writes stays in its own layer, above the root filesystem. The kernel's overlayfs.rst.
//!
//! The parent creates the directories; [`crate::rootfs`] mounts the layer, in the child.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::unistd::chdir;

use crate::failure::warn;
use crate::host::program;
use crate::rootfs::marks;
use crate::rootfs::mounts::{Tree, directory};

/// The parts of a layer's directory: what differs from the root filesystem, and a work area for overlayfs.
const PARTS: [&str; 2] = ["upper", "work"];

/// overlayfs takes no more lower directories.
const MOST: usize = 500;

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

// ANCHOR: adopt
/// Gives the layer's own / the owner and the mode that `rootfs` has: overlayfs shows those of the uppermost directory.
pub fn adopt(rootfs: &Path, layer: &Path) -> Result<()> {
    let like = fs::metadata(rootfs).context("cannot stat the root directory")?;
    let upper = layer.join(PARTS[0]);
    let cannot = "cannot change the owner and the mode of /";
    chown(&upper, Some(like.uid()), Some(like.gid())).context(cannot)?;
    fs::set_permissions(&upper, like.permissions()).context(cannot)
}
// ANCHOR_END: adopt

// ANCHOR: mount
/// Mounts the `lower` directories, the uppermost first, as changed by the layer, over the `layer`'s directory.
///
/// A file that the container changes is copied up before; what it removes is only marked as removed.
pub fn mount(lower: &[PathBuf], layer: &Path, rootless: bool) -> Result<()> {
    match overlay(lower, layer, rootless) {
        Err(error) if error.is::<Errno>() && layer.starts_with(&lower[0]) => {
            // For example when an ordinary user types --rootfs /. A copy of that would have to contain itself.
            warn(&error.context("cannot add a layer to this root filesystem, so it is read-only"));
            // So that `look` knows.
            let _ = fs::remove_dir(layer.join(PARTS[0]));
            bind(&lower[0], layer, MsFlags::MS_RDONLY).context("cannot mount the root filesystem")
        }
        Err(error) if error.is::<Errno>() => {
            let reason = "copying the root filesystem, because overlayfs is not available for it";
            warn(&error.context(reason));
            let copy = layer.join(PARTS[0]);
            for below in lower.iter().rev() {
                let marks = marks::make_way(below, &copy)?;
                copy_to(&copy, below)?;
                marks.iter().try_for_each(|mark| marks::remove(mark))?;
            }
            // So that `look` knows.
            let _ = fs::remove_dir_all(layer.join(PARTS[1]));
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
pub fn overlay(lower: &[PathBuf], layer: &Path, rootless: bool) -> Result<()> {
    let [upper, work] = PARTS.map(|part| layer.join(part));
    // Through descriptors, because overlayfs would take a comma or a colon in a path for a separator.
    let lower = lower.iter().map(|path| directory(path));
    let lower = lower.collect::<Result<Vec<_>>>()?;
    let [upper, work] = [directory(&upper)?, directory(&work)?];
    let (upper, work) = (path(&upper), path(&work));
    let mut options = format!("upperdir={upper},workdir={work}");
    if rootless {
        // overlayfs then keeps its notes in attributes that ordinary users may set.
        options += ",userxattr";
    }
    // Without "volatile", the kernel syncs the host's entire filesystem when the container ends.
    let volatile = options.clone() + ",volatile";
    let here = directory(layer)?;
    let mounted = mount_overlay(&lower, &here, &volatile);
    // Linux before 5.10 does not know this option.
    let mounted = mounted.or_else(|_| mount_overlay(&lower, &here, &options));
    // overlayfs makes directories that not even their owner may enter, so `rm -r` could not remove them.
    for closed in ["work", "work/incompat", "work/incompat/volatile"] {
        let _ = fs::set_permissions(Path::new(&work).join(closed), Permissions::from_mode(0o700));
    }
    mounted
}

/// With MS_NODEV: whoever can create a device node there must not be able to use it. The usual devices are in /dev.
fn mount_overlay(lower: &[OwnedFd], here: &OwnedFd, options: &str) -> Result<()> {
    if lower.len() > 1 {
        let each = lower.iter().map(|fd| format!("lowerdir+={},", path(fd)));
        let all = each.collect::<String>() + options;
        // Linux before 6.8 does not know lowerdir+.
        if let Ok(tree) = Tree::new("overlay", MsFlags::MS_NODEV, &all) {
            return Ok(tree.attach(here)?);
        }
    }
    // All options of mount(2) must fit into 4096 bytes, so that only short names leave room for many directories.
    chdir("/proc/self/fd").context("cannot enter /proc/self/fd")?;
    let lower = lower.iter().map(|fd| fd.as_raw_fd().to_string());
    let lower = lower.collect::<Vec<_>>().join(":");
    let options = format!("lowerdir={lower},{options}");
    let (overlay, here) = (Some("overlay"), path(here));
    let flags = MsFlags::MS_NODEV;
    Ok(nix::mount::mount(
        overlay,
        here.as_str(),
        overlay,
        flags,
        Some(options.as_str()),
    )?)
}
// ANCHOR_END: mount

// ANCHOR: look
/// Opens what a container has mounted at its `layer`, for reading only: one overlayfs at a time may write there.
///
/// Mounts it again, so this is for a mount namespace of the caller's own.
pub fn look(lower: &[PathBuf], layer: &Path, rootless: bool) -> Result<OwnedFd> {
    let [upper, work] = PARTS.map(|part| layer.join(part));
    // Without overlayfs, `mount` has removed one of them.
    if !work.exists() {
        return directory(&upper);
    } else if !upper.exists() {
        return directory(&lower[0]);
    }
    let options = if rootless { "userxattr" } else { "" };
    let open = |paths: &[PathBuf]| -> Result<Vec<_>> {
        let fds = paths.iter().map(|path| directory(path));
        fds.collect()
    };
    let mut all = vec![upper];
    if lower.len() < MOST {
        all.extend_from_slice(lower);
    } else {
        // With the layer, they would be too many.
        mount_overlay(&open(lower)?, &directory(&work)?, options)?;
        all.push(work);
    }
    mount_overlay(&open(&all)?, &directory(layer)?, options).context("cannot mount its layer")?;
    directory(layer)
}
// ANCHOR_END: look

fn path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn copy_to(to: &Path, from: &Path) -> Result<()> {
    let mut cp = program("cp");
    cp.args([OsStr::new("-a"), OsStr::new("--"), from.join(".").as_ref()]);
    let output = cp.arg(to).output().context("cannot run cp")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or("it gave no reason");
    ensure!(output.status.success(), "{complaint}");
    Ok(())
}
