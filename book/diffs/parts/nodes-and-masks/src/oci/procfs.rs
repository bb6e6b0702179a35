//! The kernel's own /proc, whatever the container has made of it: proc(5), openat2(2).

use std::fs::File;

use anyhow::{Result, ensure};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open as open_file, openat2};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

/// The inode of its top: PROC_ROOT_INO in the kernel.
const TOP: u64 = 1;

// ANCHOR: open
/// Opens `path`, which begins below /proc. An image, or a hostile container that we join, may have put anything there: a
/// directory with files of its own, or mounts on the files that we mean, which would take what is meant for the kernel
/// (CVE-2019-16884, CVE-2025-52881).
pub fn open(path: &str, flags: OFlag) -> Result<File> {
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let top = open_file("/proc", directory, Mode::empty())?;
    let is_proc = fstatfs(&top)?.filesystem_type() == PROC_SUPER_MAGIC;
    ensure!(
        is_proc && fstat(&top)?.st_ino == TOP,
        "/proc is not the kernel's"
    );
    let within = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_XDEV
        | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(within);
    Ok(openat2(&top, path, how)?.into())
}
// ANCHOR_END: open
