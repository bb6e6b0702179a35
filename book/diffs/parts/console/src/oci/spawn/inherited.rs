//! The descriptors that our caller hands on to the container, from 3 on.

use std::os::fd::{BorrowedFd, RawFd};
use std::{env, fs, process};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::stat::SFlag;

use crate::rootfs::place;

/// How many the container gets.
pub struct Inherited {
    /// All of them.
    pub number: u32,
    /// Those of them that systemd has passed to us: sd_listen_fds(3).
    pub listen_fds: u32,
}

// ANCHOR: count
/// Counts those of `--preserve-fds` and of systemd.
///
/// Fails if one of them is a directory: it would be a way out, as for [`crate::rootfs::dev::check_stdio`].
pub fn count(preserve_fds: u32) -> Result<Inherited> {
    let number = |name: &str| env::var(name).ok()?.parse::<u32>().ok();
    let listen_fds = match number("LISTEN_PID") {
        Some(pid) if pid == process::id() => number("LISTEN_FDS").unwrap_or(0),
        // They are for another process, whose environment we have got as well.
        _ => 0,
    };
    let number = preserve_fds.checked_add(listen_fds);
    let number = number.context("--preserve-fds is too large")?;
    if number == 0 {
        return Ok(Inherited { number, listen_fds });
    }
    for entry in fs::read_dir("/proc/self/fd").context("cannot list the open descriptors")? {
        let fd: RawFd = entry?.file_name().to_string_lossy().parse()?;
        ensure!(
            (fd as u32).checked_sub(3).is_none_or(|n| n >= number) || !is_directory(fd),
            "--preserve-fds: descriptor {fd} is a directory on the host"
        );
    }
    Ok(Inherited { number, listen_fds })
}
// ANCHOR_END: count

/// Whether the container would get it, and could leave by it.
fn is_directory(fd: RawFd) -> bool {
    // SAFETY: used only here, and only while it is open. If it is not open, fcntl fails.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // What we have opened ourselves is closed by exec.
    let stays = |flags| !FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC);
    fcntl(fd, FcntlArg::F_GETFD).is_ok_and(stays) && place::kind(fd) == Ok(SFlag::S_IFDIR)
}
