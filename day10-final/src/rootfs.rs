//! The container's own `/`: chroot(2), pivot_root(2), mount(2), proc(5).

use std::fs;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use crate::container::Container;
use crate::idmap::is_rootless;
use crate::mounts::{directory, restrict};
use crate::{dev, etc, layer, masks};

/// A user namespace may only mount a /proc where it can see one that hides nothing: mount_namespaces(7).
const COVERED_HINT: &str = "hint: most containers cover some; start this one with --privileged";

// ANCHOR: enter
/// Makes the container's rootfs, with a layer for what it writes, the root of this process's mounts.
pub fn enter(container: &Container) -> Result<()> {
    let (rootfs, layer) = (&container.rootfs, &container.layer);
    let rootless = is_rootless();
    layer::mount(rootfs, layer, rootless)?;
    let etc = container.etc.as_ref().map(fs::canonicalize).transpose()?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(layer, flags, Mode::empty()).context("cannot open the new root directory")?;

    // For a while this process stands in two worlds. Absolute paths lead into the container, wherever its links may
    // point. Relative ones begin where the working directory is: at the host's /.
    //
    // Not by pivot_root(2) yet: it leaves the host's / mounted on the container's, and a link to /.. would lead there.
    chdir("/").context("cannot go to /")?;
    chroot(layer).context("cannot go to the new root directory")?;
    for point in ["/dev", "/proc", "/sys"] {
        directory(point, rootfs)?;
    }
    dev::mount(rootless)?;
    masks::mount_sys()?;
    if let Some(etc) = &etc {
        etc::mount_over(etc)?;
    }
    container.volumes.mount()?;
    // Not before: links in it lead anywhere, as /proc/self/cwd.
    mount_proc().context("cannot mount /proc")?;
    masks::cover()?;

    // chroot(2) is no wall: this is the way back. Now the mounts themselves get another root, and nothing of the
    // host's is left among them that a path or a descriptor could lead to.
    chroot(".").context("cannot go back to the host's root directory")?;
    fchdir(&root).context("cannot enter the new root directory")?;
    pivot_root(".", ".").context("cannot change the root of the mounts")?;
    umount2(".", MntFlags::MNT_DETACH).context("cannot leave the host's mounts")?;
    chdir("/").context("cannot enter the new root directory")?;
    if container.volumes.read_only {
        restrict("/", MsFlags::MS_RDONLY).context("cannot make / read-only")?;
    }
    Ok(())
}
// ANCHOR_END: enter

// ANCHOR: mount_proc
/// Shows the processes of this process's PID namespace, which is the container's.
pub fn mount_proc() -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let mounted = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>);
    mounted.map_err(|errno| match errno {
        Errno::EPERM => anyhow!("{errno}: parts of the host's /proc are covered\n{COVERED_HINT}"),
        _ => errno.into(),
    })
}
// ANCHOR_END: mount_proc
