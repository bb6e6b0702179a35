//! The container's own `/`: chroot(2), mount(2), proc(5). `child` enters it, and the details are in `rootfs/`.

pub mod default;

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot};

/// The devices that every program can count on.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The links that programs expect beside them.
const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// A user namespace may only mount a /proc where it can see one that hides nothing: mount_namespaces(7).
const COVERED_HINT: &str =
    "hint: if this is a container, start it with --security-opt systempaths=unconfined as well";

// ANCHOR: enter
/// Makes `rootfs` the root directory of this process, with a /proc and a /dev of its own.
pub fn enter(rootfs: &Path) -> Result<()> {
    // Once the root has changed, no path leads there any more. This descriptor still does.
    let host_dev = open("/dev", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .context("cannot find the host's /dev")?;
    chroot(rootfs)
        .with_context(|| format!("cannot make {} the root directory", rootfs.display()))?;
    // Until now, the working directory was still outside.
    chdir("/").context("cannot enter the new root directory")?;

    // Not before chroot: a rootfs with a link proc -> /etc would make us cover the host's /etc.
    check_mount_point("/proc", rootfs)?;
    check_mount_point("/dev", rootfs)?;
    mount_proc().context("cannot mount /proc")?;
    mount_dev(&host_dev).context("cannot mount /dev")
}
// ANCHOR_END: enter

// ANCHOR: check_mount_point
/// mount(2) follows links, to wherever the author of the root filesystem wants.
fn check_mount_point(point: &str, rootfs: &Path) -> Result<()> {
    let place = format!("{}{point}", rootfs.display());
    let problem = match fs::symlink_metadata(point) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(found) if found.is_symlink() => "is a symbolic link",
        Ok(_) => "is not a directory",
        Err(_) => bail!("cannot mount {point}: there is no {place}\nhint: mkdir {place}"),
    };
    bail!("cannot mount {point}: {place} {problem}")
}
// ANCHOR_END: check_mount_point

// ANCHOR: mount_proc
/// Shows the processes of this process's PID namespace, which is the container's.
fn mount_proc() -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let mounted = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>);
    mounted.map_err(|errno| match errno {
        Errno::EPERM => anyhow!("{errno}: parts of the host's /proc are masked\n{COVERED_HINT}"),
        _ => errno.into(),
    })
}
// ANCHOR_END: mount_proc

// ANCHOR: mount_dev
/// A directory in memory, with the host's devices in it.
///
/// We bind mount them, since only the host's own root may create device nodes: mknod(2).
fn mount_dev(host_dev: &OwnedFd) -> Result<()> {
    let (tmpfs, options) = (Some("tmpfs"), Some("mode=755"));
    mount(tmpfs, "/dev", tmpfs, MsFlags::MS_NOSUID, options)?;
    for name in DEVICES {
        let device = format!("/proc/self/fd/{}/{name}", host_dev.as_raw_fd());
        let node = format!("/dev/{name}");
        File::create(&node).with_context(|| format!("cannot create {node}"))?;
        bind(&device, &node).with_context(|| format!("cannot bind mount {node}"))?;
    }
    for (link, target) in LINKS {
        symlink(target, link).with_context(|| format!("cannot create {link}"))?;
    }
    Ok(())
}
// ANCHOR_END: mount_dev

/// Makes the file `there` visible at `here`, too.
fn bind(there: &str, here: &str) -> nix::Result<()> {
    let nothing = None::<&str>;
    mount(Some(there), here, nothing, MsFlags::MS_BIND, nothing)
}
