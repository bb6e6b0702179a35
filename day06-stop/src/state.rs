//! Where tiny-docker keeps its files, and which directories it trusts. For whatever reads or writes them.

pub mod id;
pub mod lock;
pub mod pidfd;
pub mod process;
pub mod store;

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::geteuid;

/// An empty file that says: tiny-docker uses this directory, and may change and remove its own files here.
const MARK: &str = ".tiny-docker";

/// Whoever can change these decides what the runtime reads, writes and removes.
const PRIVATE: [&str; 3] = ["rootfs", "rootfs/default", "containers"];

/// The state directory. If it exists, it is private and was created by us, or is empty.
pub fn directory(asked: Option<PathBuf>) -> Result<PathBuf> {
    // Without a trailing slash: with one, the kernel follows a link.
    let state: PathBuf = choose(asked)?.components().collect();
    if let Err(problem) = check(&state) {
        bail!("cannot use {problem:#}\nhint: use a new directory: --root DIR");
    }
    Ok(state)
}

fn check(state: &Path) -> Result<()> {
    check_private(state)?;
    for name in PRIVATE {
        check_private(&state.join(name))?;
    }
    let is_new = fs::read_dir(state).map_or(true, |mut entries| entries.next().is_none());
    let is_ours = fs::symlink_metadata(state.join(MARK)).is_ok_and(|mark| mark.is_file());
    let problem = "it is not empty, and tiny-docker did not create it";
    ensure!(is_new || is_ours, "{}: {problem}", state.display());
    Ok(())
}

/// Fails if `directory` exists and another user could change it, or if it is a symbolic link.
pub fn check_private(directory: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.with_context(|| directory.display().to_string())?,
    };
    let problem = if found.is_symlink() {
        "it is a symbolic link"
    } else if !found.is_dir() {
        "it is not a directory"
    } else if found.uid() != geteuid().as_raw() {
        "it belongs to another user"
    } else if found.mode() & 0o022 != 0 {
        "other users can write to it"
    } else {
        return Ok(());
    };
    bail!("{}: {problem}", directory.display())
}

/// The directory that the user has asked for, or else root's in /var/lib, or where the XDG Base Directory
/// Specification puts an ordinary user's.
fn choose(asked: Option<PathBuf>) -> Result<PathBuf> {
    // A script may pass an empty variable.
    if let Some(directory) = asked.filter(|directory| !directory.as_os_str().is_empty()) {
        return std::path::absolute(directory).context("cannot use that --root");
    }
    if geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/tiny-docker"));
    }
    let path_in = |variable| env::var_os(variable).map(PathBuf::from);
    let data = path_in("XDG_DATA_HOME").filter(|data| data.is_absolute());
    let data = data.or_else(|| Some(path_in("HOME")?.join(".local/share")));
    let data = data.filter(|data| data.is_absolute());
    let data = data.context("cannot keep state: HOME is not set\nhint: use --root DIR")?;
    Ok(data.join("tiny-docker"))
}

/// Creates the directory `name` in `state`, and `state` itself with its mark, closed to other users.
pub fn create_private(state: &Path, name: &str) -> Result<PathBuf> {
    let directory = state.join(name);
    let create = || -> Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(state)?;
        // In /tmp, for example, somebody else may have created it since we looked.
        check_private(state)?;
        let mut mark = OpenOptions::new();
        mark.create(true).append(true).mode(0o600);
        mark.custom_flags(libc::O_NOFOLLOW).open(state.join(MARK))?;
        Ok(builder.create(&directory)?)
    };
    create().with_context(|| format!("cannot create {}", directory.display()))?;
    Ok(directory)
}
