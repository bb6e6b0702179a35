//! Looking at the images in the store, and removing them. Here, an image is one thing with all its names; to the index,
//! each name is an entry. `main` calls the commands beside this file, and `prune` calls one of them.

pub mod history;
pub mod list;
pub mod prune;
pub mod remove;
pub mod size;
pub mod tag;
pub mod usage;

use std::cmp::Reverse;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::container::Container;
use crate::failure::warn;
use crate::image::digest::Digest;
use crate::image::name::Name;
use crate::image::store::{Image, Store};
use crate::ps::age;
use crate::state::store;

/// There is no such image.
#[derive(Debug)]
pub struct NoSuch;

impl Display for NoSuch {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("no such image\nhint: tiny-docker images lists all images")
    }
}

impl Error for NoSuch {}

/// An image of the store, as far as these commands need it. A configuration may have megabytes.
pub struct Kept {
    /// Docker's image id: the digest of the configuration.
    pub id: Digest,
    /// The entries of the index that lead to it. Those with a name come first.
    pub entries: Vec<Image>,
    /// None if the image does not say, or nothing that is a time.
    pub created: Option<SystemTime>,
    /// Its layers, from the bottom.
    pub chain: Vec<Digest>,
    /// Manifest, configuration, and layers as they came.
    pub blobs: Vec<Digest>,
}

impl Kept {
    fn of(store: &Store, image: &Image) -> Result<Self> {
        let whole = store.whole(image)?;
        let parts = [&image.descriptor, &whole.manifest.config];
        let blobs = parts.into_iter().chain(&whole.manifest.layers);
        Ok(Self {
            id: whole.manifest.config.digest,
            entries: vec![image.clone()],
            created: whole.config.created.as_deref().and_then(time),
            chain: whole.config.chain(),
            blobs: blobs.map(|blob| blob.digest).collect(),
        })
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().filter_map(|entry| entry.name.as_ref())
    }

    /// One entry for each name or, if it has none, just one.
    pub fn lines(&self) -> &[Image] {
        &self.entries[..self.names().count().max(1)]
    }

    /// For example "2 weeks ago".
    pub fn age(&self) -> String {
        ago(self.created)
    }
}

// ANCHOR: all
/// All images, the newest first. It warns of those that cannot be read.
pub fn all(store: &Store) -> Result<Vec<Kept>> {
    let mut images: Vec<Kept> = Vec::new();
    for image in store.images().context("cannot list images")? {
        let kept = match Kept::of(store, &image) {
            Ok(kept) => kept,
            Err(error) => {
                warn(&error.context(format!("cannot read the image {}", called(&image))));
                continue;
            }
        };
        match images.iter_mut().find(|known| known.id == kept.id) {
            Some(known) => known.entries.push(image),
            None => images.push(kept),
        }
    }
    for image in &mut images {
        let order = |entry: &Image| (entry.name.is_none(), entry.name.clone());
        image.entries.sort_by_key(order);
    }
    images.sort_by_key(|image| Reverse(image.created));
    Ok(images)
}
// ANCHOR_END: all

/// How many images there are.
pub fn count(state: &Path) -> Result<usize> {
    let store = Store::existing(state)?;
    store.map_or(Ok(0), |store| Ok(all(&store)?.len()))
}

/// Even an image without a name is called something.
fn called(image: &Image) -> String {
    match &image.name {
        Some(name) => name.to_string(),
        None => image.descriptor.digest.to_string(),
    }
}

/// The containers that were made from an image, even if they have ended. A record that cannot be read does not say.
pub fn users(state: &Path) -> Result<Vec<Container>> {
    let containers = store::all(state).context("cannot list containers")?;
    let mut containers: Vec<_> = containers.into_iter().flatten().collect();
    containers.retain(|container| container.image.is_some());
    Ok(containers)
}

/// Whether `container` was made from the image `id`.
pub fn uses(container: &Container, id: &Digest) -> bool {
    container
        .image
        .as_ref()
        .is_some_and(|image| image.id == *id)
}

/// How long ago that was, as Docker puts it.
pub fn ago(time: Option<SystemTime>) -> String {
    let age = time.and_then(|time| age::since(&humantime::format_rfc3339(time).to_string()));
    age.map_or("N/A".to_owned(), |age| format!("{age} ago"))
}

/// A time with the format of RFC 3339, in UTC or with an offset from it.
pub fn time(text: &str) -> Option<SystemTime> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Some(time);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let minutes = hours.parse::<u64>().ok()? * 60 + minutes.parse::<u64>().ok()?;
    let offset_by = Duration::from_secs(60 * minutes);
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    match offset.as_bytes()[0] {
        b'+' => local.checked_sub(offset_by),
        b'-' => local.checked_add(offset_by),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_have_an_offset() {
        let utc = time("2024-05-01T10:00:00.5Z").unwrap();
        for same in [
            "2024-05-01T12:00:00.5+02:00",
            "2024-05-01T04:30:00.5-05:30",
            "2024-05-01T10:00:00.5+00:00",
        ] {
            assert_eq!(time(same), Some(utc), "{same}");
        }
        for odd in [
            "",
            "+",
            "now",
            "2024-05-01T12:00:00*02:00",
            "é24-05-01",
            "1é:00",
            "+99:99",
            "x+1:99é",
        ] {
            assert_eq!(time(odd), None, "{odd}");
        }
        assert_eq!(ago(None), "N/A");
        assert_eq!(ago(time("0001-01-01T00:00:00Z")), "N/A");
    }
}
