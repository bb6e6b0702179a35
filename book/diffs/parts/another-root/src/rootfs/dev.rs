//! /dev: the devices that every program expects, and none of the host's disks. null(4), random(4), tty(4).

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{OFlag, open};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::symlinkat;

use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing};

/// The devices that every program can count on.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The links that programs expect besides the devices.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

// ANCHOR: mount_dev
/// A directory in memory, and the host's device nodes that belong in it.
pub struct Dev {
    directory: Tree,
    nodes: Vec<Tree>,
}

/// Opens the nodes, while there is a path that leads to them.
pub fn open_hosts() -> Result<Dev> {
    let open_one = |name| {
        let path = Path::new("/dev").join(name);
        let cannot = || format!("cannot mount {}", path.display());
        let node =
            open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).with_context(cannot)?;
        Tree::of(node).with_context(cannot)
    };
    let directory = Tree::new("tmpfs", MsFlags::MS_NOSUID, "mode=755")?;
    let nodes = DEVICES.into_iter().map(open_one).collect::<Result<_>>()?;
    Ok(Dev { directory, nodes })
}

/// We bind mount the nodes, because only the host's root may create any: mknod(2).
pub fn mount(dev: &Dev, rootfs: &Path) -> Result<()> {
    let (dev, nodes) = (&dev.directory, &dev.nodes);
    dev.attach(place::directory("dev", rootfs)?)
        .context("cannot mount /dev")?;
    for (name, node) in DEVICES.iter().zip(nodes) {
        let place = place::step(dev.as_fd(), name.as_ref(), Missing::MakeFile);
        let mounted = place.and_then(|place| node.attach(place));
        mounted.with_context(|| format!("cannot mount /dev/{name}"))?;
    }
    for (link, target) in LINKS {
        symlinkat(target, dev, link).with_context(|| format!("cannot create /dev/{link}"))?;
    }
    check_stdio()
}
// ANCHOR_END: mount_dev

// ANCHOR: check_stdio
/// Checks stdin, stdout and stderr, which come from the caller. A directory would be a way out, so it is refused.
pub fn check_stdio() -> Result<()> {
    for fd in 0..=2 {
        // SAFETY: used only here, and only while it is open. If it is not open, fstat fails.
        let Ok(there) = fstat(unsafe { BorrowedFd::borrow_raw(fd) }) else {
            continue;
        };
        let kind = SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT;
        ensure!(
            kind != SFlag::S_IFDIR,
            "descriptor {fd} is a directory on the host"
        );
    }
    Ok(())
}
// ANCHOR_END: check_stdio
