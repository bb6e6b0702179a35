//! What nobody needs any more: no image of the index, no container, no pull that is under way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Error, Result};

use crate::failure::warn;
use crate::image::digest::Digest;
use crate::image::store::Store;
use crate::image::store::index::Index;
use crate::image::store::needed::Needed;
use crate::image::store::unfinished::Hidden;
use crate::state::{self, space};

/// How long blobs are kept, or what has arrived of them, for a pull that goes on.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many layers are removed at once. Each is open meanwhile.
const AT_ONCE: usize = 256;

/// What [`collect`] has removed.
#[derive(Default)]
pub struct Collected {
    /// Bytes on the disk.
    pub freed: u64,
    /// The digests of blobs, and the chain ids of layers, that are gone.
    pub blobs: Vec<Digest>,
    pub layers: Vec<Digest>,
}

// ANCHOR: collect
/// Removes blobs and layers that are not needed, and what a killed pull or load has left behind. If somebody is using the
/// store right now, that is left to whoever comes next. If anything cannot be read, everything stays.
pub fn collect(state: &Path) -> Result<Collected> {
    remove(state, Duration::ZERO, warn)
}

/// The same, except for blobs that have arrived not long ago, or a part of them: somebody may try again.
pub fn after_pull(state: &Path) -> Result<()> {
    remove(state, A_DAY, warn).map(drop)
}

/// The same, without a word: the user has been told already.
pub fn after_failure(state: &Path) {
    let _ = remove(state, A_DAY, |_| ());
}

fn remove(state: &Path, keep: Duration, tell: fn(&Error)) -> Result<Collected> {
    let mut collected = Collected::default();
    while collected.round(state, keep, tell)? {}
    if let Some(store) = Store::alone(state)? {
        remove_empty(&store);
        state::remove(state);
    }
    Ok(collected)
}

impl Collected {
    /// Returns whether there may be more.
    fn round(&mut self, state: &Path, keep: Duration, tell: fn(&Error)) -> Result<bool> {
        let Some(store) = Store::alone(state)? else {
            return Ok(false);
        };
        let needed = match Needed::by(&store, state) {
            Ok(needed) => needed,
            Err(error) => {
                let reason = "cannot tell which images' files nobody needs: all of them stay";
                tell(&error.context(reason));
                return Ok(false);
            }
        };
        self.remove_files(&store, &needed, keep)?;
        let layers = self.hide_layers(&store, &needed)?;
        // Removing them takes its time. They are locked: only those who need the same layer wait for us.
        drop(store);
        let count = layers.len();
        for layer in layers {
            self.freed += space::of(&layer.directory);
            layer.clear()?;
        }
        Ok(count == AT_ONCE)
    }
    // ANCHOR_END: collect

    fn remove_files(&mut self, store: &Store, needed: &Needed, keep: Duration) -> Result<()> {
        for (path, digest) in entries(&store.directory.join("blobs/sha256"), "", "")? {
            if !needed.blobs.contains(&digest) && is_old(&path, keep)? {
                self.remove_file(&path)?;
                self.blobs.push(digest);
            }
        }
        // Nobody can go on with what a killed load has left.
        for (path, _) in entries(&store.directory.join("partial"), ".", "")? {
            self.remove_file(&path)?;
        }
        for (path, _) in entries(&store.directory.join("partial"), "", "")? {
            let is_empty = || fs::symlink_metadata(&path).is_ok_and(|found| found.len() == 0);
            if is_old(&path, keep)? || is_empty() {
                self.remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn remove_file(&mut self, path: &Path) -> Result<()> {
        let cannot = || format!("cannot remove {}", path.display());
        self.freed += fs::symlink_metadata(path).with_context(cannot)?.len();
        fs::remove_file(path).with_context(cannot)
    }

    // ANCHOR: hide_layers
    /// Takes away the names of all layers that nobody needs. Returns them, with those that somebody has left half done.
    fn hide_layers(&mut self, store: &Store, needed: &Needed) -> Result<Vec<Hidden>> {
        let layers = store.directory.join("layers");
        // None: perhaps another process is removing it.
        let hide =
            |chain: &Digest| Hidden::new(store, chain, |file, _| Ok(file.try_lock()?)).ok()?;
        let mut gone = Vec::new();
        let half = [entries(&layers, ".", "")?, entries(&layers, ".", ".lock")?];
        for (_, chain) in half.concat().iter().take(AT_ONCE) {
            gone.extend(hide(chain));
        }
        for (directory, chain) in entries(&layers, "", "")? {
            if needed.layers.contains(&chain) || gone.len() == AT_ONCE {
                continue;
            }
            let Some(hidden) = hide(&chain).filter(|hidden| !hidden.directory.exists()) else {
                continue;
            };
            fs::rename(&directory, &hidden.directory).context("cannot rename a layer")?;
            gone.push(hidden);
            let _ = fs::remove_file(store.directory.join("sizes").join(chain.hex()));
            self.layers.push(chain);
        }
        Ok(gone)
    }
    // ANCHOR_END: hide_layers
}

/// Whether nobody has changed a file for so long.
fn is_old(path: &Path, keep: Duration) -> Result<bool> {
    let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
    let modified = modified.with_context(|| format!("cannot look at {}", path.display()))?;
    // If it comes from the future, nobody knows its age.
    let age = SystemTime::now().duration_since(modified);
    Ok(keep.is_zero() || age.is_ok_and(|age| age >= keep))
}

/// What is in `directory` and has one of our names: 64 digits between `prefix` and `suffix`.
fn entries(directory: &Path, prefix: &str, suffix: &str) -> Result<Vec<(PathBuf, Digest)>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let cannot = || format!("cannot list {}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let hex = name.and_then(|name| name.strip_suffix(suffix));
        let digest = hex.and_then(|hex| format!("sha256:{hex}").parse().ok());
        found.extend(digest.map(|digest| (entry.path(), digest)));
    }
    Ok(found)
}

/// Removes the store itself, if there is nothing in it.
fn remove_empty(store: &Store) {
    let is_empty = |index: Index| index.images().is_empty() && !index.has_others();
    if !Index::read(&store.directory).is_ok_and(is_empty) {
        return;
    }
    let _ = fs::remove_dir_all(store.directory.join("sizes"));
    let remove_directories = || {
        for part in ["layers", "partial", "blobs/sha256", "blobs"] {
            let directory = store.directory.join(part);
            if directory.exists() {
                fs::remove_dir(directory)?;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    // If anything is in them, they stay.
    if remove_directories().is_ok() {
        for part in ["oci-layout", "index.json", "lock"] {
            let _ = fs::remove_file(store.directory.join(part));
            let _ = fs::remove_file(store.directory.join(format!(".{part}")));
        }
        let _ = fs::remove_dir(&store.directory);
    }
}
