//! Mounts the container's own files in /etc, which [`network::etc`](crate::network::etc) wrote, or which are written
//! here.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open as open_path, openat};
use nix::mount::MsFlags;
use nix::sys::stat::Mode;

use crate::container::Container;
use crate::network::etc::{FILES, LOCALHOST};
use crate::rootfs::mounts::{DATA, Tree};
use crate::rootfs::place::{self, Missing};

// ANCHOR: mount
/// Opens the files of `container`, while its root is the host's.
pub fn open(container: &Container) -> Result<Vec<Tree>> {
    let cannot = "cannot find the files for /etc";
    let directory = match &container.etc {
        Some(directory) => {
            open_path(directory, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).context(cannot)?
        }
        None => in_memory(&container.hostname).context("cannot write the files for /etc")?,
    };
    let flags = match container.volumes.read_only {
        true => DATA | MsFlags::MS_RDONLY,
        false => DATA,
    };
    let open_one = |name: &str| {
        let file = place::step(directory.as_fd(), name.as_ref(), Missing::Fail)?;
        Tree::of(file)?.restrict(flags)
    };
    let opened = FILES.into_iter().map(open_one).collect::<nix::Result<_>>();
    opened.context(cannot)
}

/// If the host has nothing to add, the parent wrote no files. Then they are written to memory, which is much faster
/// than a disk.
fn in_memory(hostname: &str) -> Result<OwnedFd> {
    let memory = Tree::new("tmpfs", DATA, "mode=755,size=1m")?;
    // Only something mounted can be mounted again, and the host's /dev goes away with everything else of the host.
    memory.attach(open_path(
        "/dev",
        OFlag::O_PATH | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?)?;
    for (name, text) in FILES.iter().zip([LOCALHOST, &format!("{hostname}\n"), ""]) {
        let flags = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let file = openat(&memory, *name, flags, Mode::from_bits_truncate(0o644))?;
        File::from(file).write_all(text.as_bytes())?;
    }
    Ok(memory.into())
}

/// Mounts the `files` in /etc, or where its links lead, except where one of these `places` has a volume.
pub fn mount(files: &[Tree], places: &[PathBuf]) -> Result<()> {
    for (name, file) in FILES.iter().zip(files) {
        let path = Path::new("/etc").join(name);
        // There must be something to mount it over. A rootfs without a place for it goes without the file.
        let place = place::to_mount(&path, Missing::MakeFile);
        let Some(place) = place.ok().filter(|place| !places.contains(&place.path)) else {
            continue;
        };
        match file.attach(place.fd) {
            // It is a directory.
            Err(Errno::ENOTDIR) => (),
            mounted => mounted.with_context(|| format!("cannot mount {}", path.display()))?,
        }
    }
    Ok(())
}
// ANCHOR_END: mount
