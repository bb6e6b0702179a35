//! How much space our files take. For `prune`, and for whatever shows the size of an image.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many bytes of content are in the files below `directory`: a container's layer, log and record, or an image's
/// layer. Some of them may be visible only to the container's users.
pub fn of(directory: &Path) -> u64 {
    let (mut bytes, mut linked) = (0, HashSet::new());
    // Nothing stays open: directories may be nested deeper than the number of files that we may open.
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        for entry in entries {
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if found.is_dir() {
                left.push(entry.path());
            } else if found.is_file() {
                // Unless it is another name of a file that has been counted already.
                let is_new = found.nlink() == 1 || linked.insert((found.dev(), found.ino()));
                // A file with holes takes less space than its length.
                bytes += u64::from(is_new) * found.len().min(found.blocks() * 512);
            }
        }
    }
    bytes
}
