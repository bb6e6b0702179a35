//! Where attacks take place: a root filesystem to do harm in, or with, and beside it a bit of the host to protect.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{host, state};

pub struct Ground(TempDir);

impl Ground {
    pub fn new() -> Self {
        let ground = Self(TempDir::new().unwrap());
        let default = state().join("rootfs/default/.");
        let mut cp = Command::new("cp");
        let copied = cp.arg("-a").arg(default).arg(ground.rootfs()).status();
        assert!(copied.unwrap().success());
        fs::create_dir(ground.host()).unwrap();
        fs::write(ground.host().join("secret"), "the host's\n").unwrap();
        ground
    }

    /// A copy of the default one.
    pub fn rootfs(&self) -> PathBuf {
        self.0.path().join("rootfs")
    }

    /// For [`crate::pair`]: `interpreter` runs the attack in it.
    pub fn line(&self, interpreter: &str) -> String {
        let rootfs = self.rootfs();
        format!(
            "$RUN --rootfs {} {interpreter} \"$ATTACK\"",
            rootfs.display()
        )
    }

    /// With a file `secret` that says "the host's".
    pub fn host(&self) -> PathBuf {
        self.0.path().join("host")
    }

    /// Another place beside the two.
    pub fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces `name` in the root filesystem with a link to `target`.
    pub fn link(&self, name: &str, target: impl AsRef<Path>) {
        let place = self.remove(name);
        symlink(target, place).unwrap();
    }

    /// Removes `name` from the root filesystem, and returns where that is.
    pub fn remove(&self, name: &str) -> PathBuf {
        let place = self.rootfs().join(name);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&place).unwrap(),
            Ok(_) => fs::remove_file(&place).unwrap(),
            Err(_) => (),
        }
        place
    }
}

/// Everything that can be seen of what is below `directory`: kinds, modes, owners, sizes, times, link targets, contents.
pub fn listing(directory: &Path) -> String {
    let find = "find . -printf '%p %y %m %U:%G %s %T@ %l\\n' | sort";
    let sums = "find . -type f -print0 | sort -z | xargs -0 sha256sum";
    host(&format!("cd {} && {find} && {sums}", directory.display()))
}
