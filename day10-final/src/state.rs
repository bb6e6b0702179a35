//! Where tiny-docker keeps its files, and which directories it trusts. For whatever reads or writes them.
//!
//! In this room, [`paths`] is at the bottom. [`store`] reads records, [`record`] writes one, and [`abandoned`] removes
//! those that nobody looks after. It uses cgroup and namespaces for what belongs to a record.

pub mod abandoned;
pub mod id;
pub mod lock;
pub mod name;
pub mod paths;
pub mod pidfd;
pub mod process;
pub mod record;
pub mod space;
pub mod store;
pub mod supervisor;

use std::env;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Gid, Group, User, geteuid};

use crate::namespaces::idmap::is_rootless;

/// An empty file that says: tiny-docker uses this directory, and may change and remove its own files here.
const MARK: &str = ".tiny-docker";

/// The number for users that a namespace does not know: user_namespaces(7).
const NOBODY: u32 = 65534;

/// Whoever can change these decides what the runtime reads, writes and removes.
const PRIVATE: [&str; 5] = ["rootfs", "rootfs/default", "containers", "names", "images"];

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
    check_above(state)?;
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

/// Fails if another user could exchange `state` as a whole, by a directory above it or a link in its path.
///
/// sshd(8) has similar rules for a user's keys: StrictModes.
pub fn check_above(state: &Path) -> Result<()> {
    let real = state.ancestors().find_map(|path| path.canonicalize().ok());
    let real = real.unwrap_or_default();
    for above in state.ancestors().skip(1).chain(real.ancestors()) {
        // What does not exist yet, we will create.
        let Ok(found) = fs::symlink_metadata(above) else {
            continue;
        };
        let problem = if !is_trusted(found.uid()) {
            "belongs to another user"
        } else if others_can_exchange_files(&found) {
            "can be changed by other users"
        } else {
            continue;
        };
        bail!("{}: {} {problem}", state.display(), above.display());
    }
    Ok(())
}

/// Whether `owner` is us, or root, or whoever used sudo(8) to become us.
fn is_trusted(owner: u32) -> bool {
    let caller = env::var("SUDO_UID").ok().filter(|_| geteuid().is_root());
    // In a user namespace, that may be the host's root.
    let unknown = owner == NOBODY && is_rootless();
    owner == 0 || owner == geteuid().as_raw() || caller == Some(owner.to_string()) || unknown
}

/// With the sticky bit, as in /tmp, everybody may only remove what is their own.
fn others_can_exchange_files(found: &Metadata) -> bool {
    let may_write = |who: u32| found.mode() & who != 0;
    let others = may_write(0o002) || may_write(0o020) && !is_private_group(found.gid());
    found.is_dir() && found.mode() & 0o1000 == 0 && others
}

/// Whether `group` is the one that many distributions create for each user: it has our name, and lists nobody else.
fn is_private_group(group: u32) -> bool {
    let user = User::from_uid(geteuid()).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(group)).ok().flatten();
    user.zip(group).is_some_and(|(user, group)| {
        group.name == user.name && group.mem.iter().all(|member| *member == user.name)
    })
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
        // In /tmp, for example, somebody else may have created it, or one above it, since we looked.
        check_private(state)?;
        check_above(state)?;
        let mut mark = OpenOptions::new();
        mark.create(true).append(true).mode(0o600);
        mark.custom_flags(libc::O_NOFOLLOW).open(state.join(MARK))?;
        Ok(builder.create(&directory)?)
    };
    create().with_context(|| format!("cannot create {}", directory.display()))?;
    Ok(directory)
}

/// Opens a file in the state directory. Anything else in its place, such as a link or a FIFO, is an error.
pub fn open_regular(path: &Path, options: &mut OpenOptions) -> Result<File> {
    // O_NONBLOCK: a FIFO would keep us waiting for its other end.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = options.custom_flags(flags).open(path)?;
    ensure!(file.metadata()?.is_file(), "it is not a regular file");
    Ok(file)
}

/// Opens a directory in the state directory, to lock it. A link is not followed.
pub fn open_directory(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY);
    Ok(options.read(true).open(path)?)
}

/// Removes the directory `state`, unless it contains anything besides its mark.
pub fn remove(state: &Path) {
    let mark = state.join(MARK);
    let entries = fs::read_dir(state).into_iter().flatten().flatten();
    if entries.map(|entry| entry.path()).eq([mark.clone()]) {
        let _ = fs::remove_file(&mark);
        if fs::remove_dir(state).is_err() {
            // Somebody has begun to use it.
            let _ = File::create_new(&mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_somebody_else_has_just_created_is_not_used() {
        let state = TempDir::new().unwrap();
        fs::set_permissions(&state, Permissions::from_mode(0o777)).unwrap();
        let refused = create_private(state.path(), "rootfs").unwrap_err();
        assert!(format!("{refused:#}").ends_with(": other users can write to it"));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
    }
}
