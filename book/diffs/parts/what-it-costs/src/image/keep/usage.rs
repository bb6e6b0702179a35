//! `system df`: how much of the disk is used for what, and how much of that could go.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::images::Df;
use crate::container::{Container, Status};
use crate::failure::print;
use crate::image::digest::Digest;
use crate::image::keep::list::repository_and_tag;
use crate::image::keep::{Kept, ago, all, size, time, uses};
use crate::image::store::Store;
use crate::namespaces::idmap;
use crate::ps;
use crate::ps::table::table;
use crate::state::{paths, space};
use crate::stats::size::of_data;

/// A row: how many there are, how many of them are in use, and the bytes of both.
#[derive(Default)]
struct Used {
    total: usize,
    active: usize,
    bytes: u64,
    active_bytes: u64,
}

impl Used {
    fn add(&mut self, bytes: u64, is_active: bool) {
        self.total += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if is_active {
            self.active += 1;
            self.active_bytes = self.active_bytes.saturating_add(bytes);
        }
    }

    fn row(&self, what: &str) -> [String; 5] {
        let free = self.bytes - self.active_bytes;
        let percent = (u128::from(free) * 100).checked_div(self.bytes.into());
        let percent = percent.map_or(String::new(), |percent| format!(" ({percent}%)"));
        [
            what.to_owned(),
            self.total.to_string(),
            self.active.to_string(),
            of_data(self.bytes),
            of_data(free) + &percent,
        ]
    }
}

/// Prints a table with a row for each kind of thing that we keep or, if asked to be verbose, a row for each of them.
///
/// A container's users may have closed directories to us, so this is measured by a process that is root to them.
pub fn disk_usage(options: &Df, state: &Path) -> Result<u8> {
    let store = Store::existing(state)?;
    let images = store.as_ref().map_or(Ok(Vec::new()), all)?;
    let containers = ps::listed(true, state)?;
    idmap::inside(|| {
        let store = store.as_ref();
        let text = if options.verbose {
            let images = store.map_or(String::new(), |it| each_image(it, &images, &containers));
            let containers = each_container(&containers, state);
            format!("Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}")
        } else {
            summary(store, &images, &containers, state)
        };
        Ok(print(text.trim_end()))
    })
}

// ANCHOR: summary
fn summary(
    store: Option<&Store>,
    images: &[Kept],
    containers: &[Container],
    state: &Path,
) -> String {
    let mut rows = Vec::new();
    if let Some(store) = store {
        rows.extend(of_images(store, images, containers));
    }
    let (mut records, mut rootfs) = (Used::default(), Used::default());
    let mut is_used = false;
    for container in containers {
        let is_running = container.status == Status::Running;
        is_used |= is_running;
        records.add(
            space::of(&paths::directory(state, &container.id)),
            is_running,
        );
    }
    rows.push(records.row("Containers"));
    let default = state.join("rootfs/default");
    if default.exists() {
        rootfs.add(space::of(&default), is_used);
    }
    rows.push(rootfs.row("Root filesystem"));
    let headings = ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"];
    table(headings, rows)
}
// ANCHOR_END: summary

// ANCHOR: of_images
/// Layers, and what they were made from. What two images share is one directory or one file, and counts once. So does
/// what no image needs.
fn of_images(store: &Store, images: &[Kept], containers: &[Container]) -> [[String; 5]; 2] {
    let used = images
        .iter()
        .filter(|image| containers.iter().any(|user| uses(user, &image.id)));
    let origins = containers.iter().filter_map(|user| user.image.as_ref());
    let layers = used.clone().flat_map(|image| &image.chain);
    let layers = layers.chain(origins.flat_map(|image| &image.layers));
    let layers: HashSet<_> = layers.copied().collect();
    let blobs = used.clone().flat_map(|image| &image.blobs);
    let blobs: HashSet<_> = blobs.copied().collect();
    let mut of_layers = Used::default();
    for (directory, layer) in inside(store, "layers") {
        let bytes = match layer {
            Some(layer) => size::of_layer(store, &layer),
            None => space::of(&directory),
        };
        of_layers.add(bytes, layer.is_some_and(|layer| layers.contains(&layer)));
    }
    // The number of layers says little.
    (of_layers.total, of_layers.active) = (images.len(), used.count());
    let mut of_blobs = Used::default();
    for (file, blob) in [inside(store, "blobs/sha256"), inside(store, "partial")].concat() {
        let bytes = fs::symlink_metadata(file).map_or(0, |file| file.len());
        of_blobs.add(bytes, blob.is_some_and(|blob| blobs.contains(&blob)));
    }
    [of_layers.row("Images"), of_blobs.row("Image blobs")]
}
// ANCHOR_END: of_images

/// What is in a directory of the store, with the digests that are names there. Everything else is unfinished.
fn inside(store: &Store, directory: &str) -> Vec<(PathBuf, Option<Digest>)> {
    let entries = fs::read_dir(store.directory.join(directory));
    let entries = entries.into_iter().flatten().flatten();
    let digest = |entry: &DirEntry| {
        format!("sha256:{}", entry.file_name().to_str()?)
            .parse()
            .ok()
    };
    entries
        .map(|entry| (entry.path(), digest(&entry)))
        .collect()
}

/// A row for each image: what it has for itself, and what it shares with others.
fn each_image(store: &Store, images: &[Kept], containers: &[Container]) -> String {
    let sharing = |layer: &&Digest| {
        let having = images.iter().filter(|image| image.chain.contains(layer));
        having.count() > 1
    };
    let mut rows = Vec::new();
    for image in images {
        let shared = size::of(store, image.chain.iter().filter(sharing));
        let unique = size::of(store, image.chain.iter().filter(|layer| !sharing(layer)));
        let users = containers.iter().filter(|user| uses(user, &image.id));
        let users = users.count().to_string();
        for line in image.lines() {
            let [repository, tag] = repository_and_tag(line);
            let (id, age) = (image.id.short(), image.age());
            let sizes = [shared.saturating_add(unique), shared, unique];
            let [all, shared, unique] = sizes.map(of_data);
            rows.push([repository, tag, id, age, all, shared, unique, users.clone()]);
        }
    }
    const HEADINGS: [&str; 8] = [
        "REPOSITORY",
        "TAG",
        "IMAGE ID",
        "CREATED",
        "SIZE",
        "SHARED SIZE",
        "UNIQUE SIZE",
        "CONTAINERS",
    ];
    table(HEADINGS, rows)
}

fn each_container(containers: &[Container], state: &Path) -> String {
    let row = |container: &Container| {
        let bytes = space::of(&paths::directory(state, &container.id));
        [
            container.id.to_string(),
            ps::image(container, state),
            of_data(bytes),
            ago(time(&container.created_at)),
            container.status.to_string(),
            container.name.clone(),
        ]
    };
    let headings = [
        "CONTAINER ID",
        "IMAGE",
        "SIZE",
        "CREATED",
        "STATUS",
        "NAMES",
    ];
    table(headings, containers.iter().map(row).collect())
}
