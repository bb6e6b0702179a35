//! `-w`: where in the container a command begins. chdir(2), getcwd(3).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use nix::unistd::{fchdir, getcwd};

use crate::rootfs::place::{self, Missing};

/// One that depends on no other.
pub fn check(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.is_absolute() {
        true => Ok(path),
        false => Err("expected an absolute path".to_owned()),
    }
}

/// Makes `directory`, in the container, if there is none.
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
/// Goes to `directory`, which has to be in the container.
///
/// A link may lead to one of the host's that this process has open, as /proc/self/fd/7: CVE-2024-21626. In the
/// container that one has no path.
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
