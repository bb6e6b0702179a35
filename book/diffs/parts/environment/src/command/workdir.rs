//! `-w`: a command's working directory in the container. chdir(2), getcwd(3).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use nix::unistd::{fchdir, getcwd};

use crate::rootfs::place::{self, Missing};

/// An absolute path or, as in Docker, an empty one, which means the default.
pub fn check(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.is_absolute() || text.is_empty() {
        true => Ok(path),
        false => Err("expected an absolute path".to_owned()),
    }
}

/// Creates `directory` in the container, unless it exists.
pub fn create(directory: &Path) -> Result<()> {
    let cannot = || {
        format!(
            "cannot create the working directory {}",
            directory.display()
        )
    };
    let place = place::find(directory, Missing::MakeDirectory).with_context(cannot)?;
    match place::kind(&place.fd)? {
        SFlag::S_IFDIR => Ok(()),
        _ => Err(Errno::ENOTDIR).with_context(cannot),
    }
}

// ANCHOR: enter
/// Changes to `directory`, which must be in the container.
///
/// A link such as /proc/self/fd/7 may lead to a host directory that this process has open: CVE-2024-21626. In the
/// container, that directory has no path.
pub fn enter(directory: &Path) -> Result<()> {
    let cannot = || format!("cannot use the working directory {}", directory.display());
    let place = place::find(directory, Missing::Fail).with_context(cannot)?;
    fchdir(place.fd).with_context(cannot)?;
    if getcwd().is_err() {
        bail!("{}: it is outside the container", cannot());
    }
    Ok(())
}
// ANCHOR_END: enter
