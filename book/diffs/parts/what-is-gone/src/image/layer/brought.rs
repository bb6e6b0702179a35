//! What a layer's directory has, although its archive does not: it has come up from below. A whiteout may follow that
//! hides it, after all.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use anyhow::{Result, ensure};

/// No layer needs more: most archives describe the directories in which they change something.
const MOST: usize = 1 << 17;

/// Hashes of paths, since paths may be long.
#[derive(Default)]
pub struct Brought {
    paths: HashSet<u64>,
    hasher: RandomState,
}

impl Brought {
    pub fn insert(&mut self, path: &Path) -> Result<()> {
        ensure!(
            self.paths.len() < MOST,
            "it needs too much of the layers below"
        );
        self.paths.insert(self.hasher.hash_one(path));
        Ok(())
    }

    pub fn has(&self, path: &Path) -> bool {
        self.paths.contains(&self.hasher.hash_one(path))
    }

    /// The archive itself has something at `path`, which makes all directories above it the layer's own as well.
    pub fn claim(&mut self, path: &Path) {
        if !self.paths.is_empty() {
            for path in path.ancestors() {
                self.paths.remove(&self.hasher.hash_one(path));
            }
        }
    }
}
