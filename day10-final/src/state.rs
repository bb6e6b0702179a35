//! Where tiny-docker keeps its files.

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::unistd::geteuid;

/// The directory that the user has asked for, or else root's in /var/lib, or the user's own.
///
/// The user's is where the XDG Base Directory Specification puts it. Fails where that needs a home directory
/// and there is none.
pub fn directory(asked: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(directory) = asked {
        return std::path::absolute(directory).context("cannot use that --root");
    }
    if geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/tiny-docker"));
    }
    let data = match env::var_os("XDG_DATA_HOME").map(PathBuf::from) {
        Some(data) if data.is_absolute() => data,
        _ => {
            let home = env::var_os("HOME").filter(|home| !home.is_empty());
            let home = home.context("cannot keep files: HOME is not set\nhint: use --root DIR")?;
            PathBuf::from(home).join(".local/share")
        }
    };
    Ok(data.join("tiny-docker"))
}

/// Creates `directory`, and those above it, for nobody else to look into.
pub fn create_private(directory: &Path) -> Result<()> {
    let created = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
    created.with_context(|| format!("cannot create {}", directory.display()))
}
