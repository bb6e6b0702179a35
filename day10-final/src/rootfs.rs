//! The container's own `/`: pivot_root(2), mount(2), proc(5).

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, fchdir, pivot_root};

use crate::container::Container;
use crate::idmap::is_rootless;
use crate::mounts::{directory, restrict};
use crate::{dev, etc, layer, masks};

/// A user namespace may only mount a /proc where it can see one that hides nothing: mount_namespaces(7).
const COVERED_HINT: &str = "hint: most containers cover some; start this one with --privileged";

// ANCHOR: enter
/// Makes the container's rootfs, with a layer for what it writes, the root of this process's mounts.
pub fn enter(container: &Container) -> Result<()> {
    let rootfs = &container.rootfs;
    let rootless = is_rootless();
    layer::mount(rootfs, &container.layer, rootless)?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let host = open("/", flags, Mode::empty()).context("cannot open /")?;
    chdir(&container.layer).context("cannot enter the new root directory")?;
    pivot_root(".", ".").context("cannot change the root of the mounts")?;
    fchdir(&host).context("cannot go back")?;

    // Now this process stands in two worlds. Absolute paths lead into the container, wherever its links may point.
    // Relative ones begin where the working directory is: at the host's /.
    for point in ["/dev", "/proc", "/sys"] {
        directory(point, rootfs)?;
    }
    dev::mount(rootless)?;
    masks::mount_sys()?;
    if let Some(etc) = &container.etc {
        etc::mount_over(etc)?;
    }
    container.volumes.mount()?;
    // Not before: links in it lead anywhere, as /proc/self/fd/3 to an open file.
    mount_proc().context("cannot mount /proc")?;
    masks::cover()?;

    // And now only in one: nothing of the host's mounts is left that a descriptor could lead back to.
    umount2(".", MntFlags::MNT_DETACH).context("cannot leave the host's mounts")?;
    chdir("/").context("cannot enter the new root directory")?;
    if container.volumes.read_only {
        restrict(Path::new("/"), MsFlags::MS_RDONLY).context("cannot make / read-only")?;
    }
    Ok(())
}
// ANCHOR_END: enter

// ANCHOR: mount_proc
/// Shows the processes of this process's PID namespace, which is the container's.
fn mount_proc() -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let mounted = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>);
    mounted.map_err(|errno| match errno {
        Errno::EPERM => anyhow!("{errno}: parts of the host's /proc are covered\n{COVERED_HINT}"),
        _ => errno.into(),
    })
}
// ANCHOR_END: mount_proc
