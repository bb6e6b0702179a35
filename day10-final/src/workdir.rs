//! `-w`: where in the container a command begins. chdir(2), getcwd(3).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{chdir, getcwd};

/// One that depends on no other.
pub fn check(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.is_absolute() {
        true => Ok(path),
        false => Err("it has to be an absolute path".to_owned()),
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
    fs::create_dir_all(directory).with_context(cannot)
}

// ANCHOR: enter
/// Goes to `directory`, which has to be in the container.
///
/// A link may lead to one of the host's that this process has open, as /proc/self/fd/7: CVE-2024-21626. In the
/// container that one has no path.
pub fn enter(directory: &Path) -> Result<()> {
    let cannot = || format!("cannot begin in {}", directory.display());
    chdir(directory).with_context(cannot)?;
    if getcwd().is_err() {
        bail!("{}: it is not in the container", cannot());
    }
    Ok(())
}
// ANCHOR_END: enter
