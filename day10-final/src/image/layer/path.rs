//! Names in an archive, as paths below the image's root.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, ensure};

/// The kernel's limits, limits.h: a path's length (with a zero at its end), and the length of a name in it.
const LONGEST: usize = 4096;
const LONGEST_NAME: usize = 255;

/// How many characters of a name a message shows.
const SHOWN: usize = 200;

// ANCHOR: clean
/// `name` without "", "." and "..", relative to the image's root. As text: links are followed later.
pub fn clean(name: &[u8]) -> Result<PathBuf> {
    ensure!(!name.is_empty(), "it has no name");
    ensure!(name.len() < LONGEST, "its name is too long");
    ensure!(!name.contains(&0), "there is a zero in its name");
    let mut path = PathBuf::new();
    for part in name.split(|byte| *byte == b'/') {
        ensure!(part.len() <= LONGEST_NAME, "its name is too long");
        match part {
            b"" | b"." => (),
            b".." => ensure!(path.pop(), "it leads out of the image"),
            _ => path.push(OsStr::from_bytes(part)),
        }
    }
    Ok(path)
}
// ANCHOR_END: clean

/// What a message says about the entry `name`: of a long one, its end.
pub fn cannot_unpack(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let skipped = text.chars().count().saturating_sub(SHOWN);
    let mut shown: String = text.chars().skip(skipped).collect();
    if skipped > 0 {
        shown.insert(0, '…');
    }
    match &shown[..] {
        "" => "cannot unpack ''".to_owned(),
        _ => format!("cannot unpack {}", shown.escape_debug()),
    }
}

/// The names in `path`, the first one last.
pub fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter(|part| match part {
        Component::Normal(_) | Component::ParentDir => true,
        Component::RootDir | Component::CurDir | Component::Prefix(_) => false,
    });
    names.map(|part| part.as_os_str().to_owned()).collect()
}
