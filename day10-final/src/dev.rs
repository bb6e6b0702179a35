//! /dev: the devices that every program may count on, and none of the host's disks. pty(7), shm_overview(7).

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::stat::{FileStat, SFlag, fstat, major, minor};

use crate::mounts::{DATA, bind, mount_new, restrict};

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// What programs expect beside them.
const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

// ANCHOR: mount_dev
/// A directory in memory, with the host's devices in it, and terminals and shared memory of its own.
///
/// The devices are bind-mounted: only the host's own root may create nodes, mknod(2). Those that a container
/// creates are good for nothing, since all its mounts are nodev.
pub fn mount(rootless: bool) -> Result<()> {
    mount_new("tmpfs", "/dev", DATA, "mode=755,size=65536k")?;
    for name in DEVICES {
        let (device, node) = (Path::new("dev").join(name), Path::new("/dev").join(name));
        let cannot = || format!("cannot mount {}", node.display());
        File::create(&node).with_context(cannot)?;
        bind(device, &node).with_context(cannot)?;
        // That is about the node, not the device: or a `chmod 0 /dev/null` inside would be one on the host.
        restrict(&node, MsFlags::MS_RDONLY).with_context(cannot)?;
    }
    for (link, target) in LINKS {
        symlink(target, link).with_context(|| format!("cannot create {link}"))?;
    }
    for directory in ["/dev/pts", "/dev/shm", "/dev/mqueue"] {
        fs::create_dir(directory).with_context(|| format!("cannot create {directory}"))?;
    }
    fs::set_permissions("/dev/shm", Permissions::from_mode(0o1777))
        .context("cannot open /dev/shm to all")?;
    // Group 5 is tty, in all distributions. In a user namespace there need be none.
    let tty = if rootless { "" } else { ",gid=5" };
    let options = format!("newinstance,ptmxmode=0666,mode=0620{tty}");
    mount_new("devpts", "/dev/pts", DATA - MsFlags::MS_NODEV, &options)?;
    mount_new("mqueue", "/dev/mqueue", DATA, "")?;
    check_stdio()
}
// ANCHOR_END: mount_dev

// ANCHOR: is_null
/// Whether it is that device, and not another one under its name: null(4).
pub fn is_null(file: &FileStat) -> bool {
    (major(file.st_rdev), minor(file.st_rdev)) == (1, 3)
}
// ANCHOR_END: is_null

// ANCHOR: check_stdio
/// stdin, stdout and stderr are the caller's. They may be the host's /dev/null, node included; and a directory would be
/// a way out.
pub fn check_stdio() -> Result<()> {
    for fd in 0..=2 {
        // SAFETY: used here alone, and no longer than it is open. Where it is not, fstat fails.
        let Ok(there) = fstat(unsafe { BorrowedFd::borrow_raw(fd) }) else {
            continue;
        };
        let kind = SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT;
        ensure!(
            kind != SFlag::S_IFDIR,
            "descriptor {fd} is a directory of the host's"
        );
        if is_null(&there) {
            let null = OpenOptions::new().read(true).write(true).open("/dev/null");
            let null = null.context("cannot open /dev/null")?;
            // SAFETY: dup2(2) to a descriptor that nothing in this process owns.
            Errno::result(unsafe { libc::dup2(null.as_raw_fd(), fd) })?;
        }
    }
    Ok(())
}
// ANCHOR_END: check_stdio
