//! What a layer hides of those below it, where overlayfs does not look after it: the kernel's overlayfs.rst.
//!
//! Only [`crate::rootfs::layer`] needs it, when it has to copy the layers of an image into one directory.

use std::ffi::CString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

/// What says that a directory hides the one below it, for root and for ordinary users.
const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];

// ANCHOR: make_way
/// Removes from `copy`, which contains the layers below, what the `layer` hides or replaces.
///
/// Returns where the layer's own marks will be when it is copied, too.
pub fn make_way(layer: &Path, copy: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut marks, mut directories) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(layer.join(&directory))? {
            let entry = entry?;
            let name = directory.join(entry.file_name());
            // Not of what a link leads to.
            let (own, below) = (entry.metadata()?, copy.join(&name));
            let merged = own.is_dir() && fs::symlink_metadata(&below).is_ok_and(|it| it.is_dir());
            if !merged || is_opaque(&entry.path()) {
                remove(&below)?;
            }
            if own.is_dir() {
                directories.push(name);
            } else if own.file_type().is_char_device() && own.rdev() == 0 {
                marks.push(below);
            }
        }
    }
    Ok(marks)
}
// ANCHOR_END: make_way

/// Removes whatever is at `path`, if there is anything.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_opaque(directory: &Path) -> bool {
    let Ok(path) = CString::new(directory.as_os_str().as_bytes()) else {
        return false;
    };
    OPAQUE
        .into_iter()
        .filter_map(|name| CString::new(name).ok())
        .any(|name| {
            // SAFETY: lgetxattr(2) reads two texts that end with a NUL, and without a buffer, it writes nothing.
            unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), null_mut(), 0) > 0 }
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::{Mode, SFlag, mknod};

    use super::*;

    #[test]
    fn what_a_layer_hides_or_replaces_is_removed() {
        let here = tempfile::tempdir().unwrap();
        let (layer, copy) = (here.path().join("layer"), here.path().join("copy"));
        for directory in [
            "layer/merged",
            "layer/became a directory",
            "copy/merged",
            "copy/became a file",
            "copy/gone",
        ] {
            fs::create_dir_all(here.path().join(directory)).unwrap();
        }
        fs::write(here.path().join("precious"), "").unwrap();
        symlink("../precious", copy.join("link")).unwrap();
        for file in [
            "layer/became a file",
            "layer/link",
            "copy/merged/kept",
            "copy/merged/gone",
            "copy/became a directory",
            "copy/gone/file",
        ] {
            if !here.path().join(file).exists() {
                fs::write(here.path().join(file), "").unwrap();
            }
        }
        let marks = ["gone", "merged/gone", "nothing"];
        for mark in marks {
            mknod(&layer.join(mark), SFlag::S_IFCHR, Mode::empty(), 0).unwrap();
        }
        let mut found = make_way(&layer, &copy).unwrap();
        found.sort();
        assert_eq!(found, marks.map(|mark| copy.join(mark)));
        let left = |directory: &Path| -> Vec<_> {
            let entries = fs::read_dir(directory).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(left(&copy), ["merged"]);
        assert_eq!(left(&copy.join("merged")), ["kept"]);
        assert!(here.path().join("precious").exists());
    }
}
