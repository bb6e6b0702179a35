//! This program's own file, safe from the container: open_tree(2), mount_setattr(2), memfd_create(2).

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use libc::{AT_FDCWD, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{fstat, stat};

use crate::mounts::read_only;

// ANCHOR: protected
/// What to execute in place of /proc/self/exe: the same program, through which nobody can write to its file.
///
/// A process of the container's can be made to run it again (a script that begins with `#!/proc/self/exe`), and
/// opens /proc/PID/exe of that for writing. The next run, as root, would run what it wrote: CVE-2019-5736.
pub fn protected() -> Result<OwnedFd> {
    view().or_else(|_| copy())
}

/// Of its mount a copy that is read-only, is mounted nowhere, and cannot be changed back.
fn view() -> Result<OwnedFd> {
    let path = fs::read_link("/proc/self/exe")?;
    let view = open_tree(&path)?;
    read_only(&view)?;
    // There may be another program in its place by now.
    let (seen, meant) = (fstat(&view)?, stat("/proc/self/exe")?);
    ensure!((seen.st_dev, seen.st_ino) == (meant.st_dev, meant.st_ino));
    Ok(view)
}

/// Where the kernel is too old, or the file has gone: a copy in memory, sealed.
fn copy() -> Result<OwnedFd> {
    let cannot = "cannot copy /proc/self/exe";
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut copy = File::from(memfd_create(c"tiny-docker", flags).context(cannot)?);
    let mut program = File::open("/proc/self/exe").context(cannot)?;
    io::copy(&mut program, &mut copy).context(cannot)?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals | SealFlag::F_SEAL_SEAL)).context(cannot)?;
    Ok(copy.into())
}
// ANCHOR_END: protected

fn open_tree(path: &Path) -> Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    // SAFETY: open_tree(2) reads a path that ends with a NUL.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, AT_FDCWD, path.as_ptr(), flags) };
    let fd = Errno::result(fd)? as RawFd;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
