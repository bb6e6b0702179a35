//! /dev: the devices that every program expects, and none of the host's disks. pty(7), shm_overview(7).
//!
//! [`crate::rootfs`] mounts it; [`crate::exec::guest`] borrows its /dev/null.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::mount::MsFlags;
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, fchmodat, fstat, major, minor, mkdirat,
};
use nix::unistd::symlinkat;

use crate::rootfs::mounts::{DATA, Tree};
use crate::rootfs::place::{self, Missing};

/// The host devices that a container gets, with their numbers: null(4), full(4), random(4), tty(4).
const DEVICES: [(&str, (u64, u64)); 6] = [
    ("null", NULL),
    ("zero", (1, 5)),
    ("full", (1, 7)),
    ("random", (1, 8)),
    ("urandom", (1, 9)),
    ("tty", (5, 0)),
];

const NULL: (u64, u64) = (1, 3);

/// The links that programs expect besides the devices.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

// ANCHOR: mount_dev
/// A directory in memory, and the host's device nodes that belong in it.
pub struct Dev {
    directory: Tree,
    nodes: Vec<Tree>,
}

/// Opens the nodes. A container can give the name /dev/null to another file, but it cannot exchange an open node:
/// CVE-2025-31133.
pub fn open_hosts() -> Result<Dev> {
    let open_one = |(name, numbers)| {
        let path = Path::new("/dev").join(name);
        let cannot = || format!("cannot mount {}", path.display());
        let node =
            open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).with_context(cannot)?;
        let found = fstat(&node).with_context(cannot)?;
        ensure!(
            is_device(&found, numbers),
            "{} is not the expected device",
            path.display()
        );
        // Read-only means the node, not the device. Otherwise, `chmod 0 /dev/null` inside would change the host's node.
        let tree = Tree::of(node).and_then(|tree| tree.restrict(MsFlags::MS_RDONLY));
        tree.with_context(cannot)
    };
    let directory = Tree::new("tmpfs", DATA, "mode=755,size=65536k")?;
    let nodes = DEVICES.into_iter().map(open_one).collect::<Result<_>>()?;
    Ok(Dev { directory, nodes })
}

impl Dev {
    pub fn null(&self) -> &Tree {
        &self.nodes[0]
    }
}

/// We bind mount the nodes, because only the host's root may create any: mknod(2).
///
/// A node that a container creates is useless, since all its mounts are nodev.
pub fn mount(dev: &Dev, rootfs: &Path, rootless: bool) -> Result<()> {
    let (dev, nodes) = (&dev.directory, &dev.nodes);
    dev.attach(place::directory("dev", rootfs)?)
        .context("cannot mount /dev")?;
    for ((name, _), node) in DEVICES.iter().zip(nodes) {
        let place = place::step(dev.as_fd(), name.as_ref(), Missing::MakeFile);
        let mounted = place.and_then(|place| node.attach(place));
        mounted.with_context(|| format!("cannot mount /dev/{name}"))?;
    }
    for (link, target) in LINKS {
        symlinkat(target, dev, link).with_context(|| format!("cannot create /dev/{link}"))?;
    }
    let mode = |mode| Mode::from_bits_truncate(mode);
    for directory in ["pts", "shm", "mqueue"] {
        mkdirat(dev, directory, mode(0o755))
            .with_context(|| format!("cannot create /dev/{directory}"))?;
    }
    fchmodat(dev, "shm", mode(0o1777), FchmodatFlags::FollowSymlink)
        .context("cannot make /dev/shm world-writable")?;
    // Group 5 is tty in all distributions. In a user namespace, it may not exist.
    let tty = if rootless { "" } else { ",gid=5" };
    let options = format!("newinstance,ptmxmode=0666,mode=0620{tty}");
    let pts = Tree::new("devpts", DATA - MsFlags::MS_NODEV, &options)?;
    for (name, tree) in [("pts", pts), ("mqueue", Tree::new("mqueue", DATA, "")?)] {
        let place = place::step(dev.as_fd(), name.as_ref(), Missing::Fail);
        let mounted = place.and_then(|place| tree.attach(place));
        mounted.with_context(|| format!("cannot mount /dev/{name}"))?;
    }
    check_stdio()
}
// ANCHOR_END: mount_dev

/// Whether this is the right device, and not a different one with its name.
fn is_device(file: &FileStat, numbers: (u64, u64)) -> bool {
    let kind = SFlag::from_bits_truncate(file.st_mode) & SFlag::S_IFMT;
    kind == SFlag::S_IFCHR && (major(file.st_rdev), minor(file.st_rdev)) == numbers
}

/// Protects /dev/null for [`crate::exec::guest`], in its own mount namespace: the device can be written to, but nobody
/// can change the node.
pub fn protect_null() -> Result<()> {
    let protect = || {
        let null = open("/dev/null", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        Tree::of(&null)?.restrict(MsFlags::MS_RDONLY)?.attach(null)
    };
    protect().context("cannot protect /dev/null")
}

// ANCHOR: check_stdio
/// Checks stdin, stdout and stderr, which come from the caller. A directory would be a way out, so it is refused.
/// A /dev/null would be the host's own node, so the container gets its own instead.
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
        if is_device(&there, NULL) {
            // What is there may come from an image: a link to another file, or a FIFO.
            let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
            let null = open("/dev/null", flags | OFlag::O_NONBLOCK, Mode::empty());
            let null = null.context("cannot open /dev/null")?;
            ensure!(
                is_device(&fstat(&null)?, NULL),
                "/dev/null is not the expected device"
            );
            fcntl(&null, FcntlArg::F_SETFL(OFlag::O_RDWR))?;
            // SAFETY: dup2(2) to a descriptor that nothing in this process owns.
            Errno::result(unsafe { libc::dup2(null.as_raw_fd(), fd) })?;
        }
    }
    Ok(())
}
// ANCHOR_END: check_stdio
