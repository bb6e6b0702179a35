//! Protects this program's own file from the container: mount(2), memfd_create(2).

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open};
use nix::mount::MsFlags;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fstat, stat};

use crate::rootfs::mounts::Tree;

// ANCHOR: protected
/// What to execute in place of /proc/self/exe: the same program, through which nobody can write to its file.
///
/// A container can make us execute this program again (with a script that begins with `#!/proc/self/exe`), and then
/// open /proc/PID/exe of that process for writing. The next `run` by root would execute what it wrote: CVE-2019-5736.
pub fn protected() -> Result<OwnedFd> {
    view().or_else(|_| copy())
}

/// Mounts the file on itself, read-only. Later, this mount is out of reach like all the host's mounts.
fn view() -> Result<OwnedFd> {
    let path = fs::read_link("/proc/self/exe")?;
    let file = open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    // By now, there may be a different program at this path.
    let (seen, meant) = (fstat(&file)?, stat("/proc/self/exe")?);
    ensure!((seen.st_dev, seen.st_ino) == (meant.st_dev, meant.st_ino));
    let view = Tree::of(&file)?.restrict(MsFlags::MS_RDONLY)?;
    view.attach(file)?;
    Ok(view.into())
}

/// If its path no longer leads to it: a sealed copy in memory.
pub fn copy() -> Result<OwnedFd> {
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
