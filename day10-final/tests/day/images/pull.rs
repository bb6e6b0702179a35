//! `pull`, with registries and networks as they are.

mod together;
mod trouble;

use std::fs;

use crate::images::build::layer::Layer;
use crate::images::build::{Built, Image, Packed, digest};
use crate::images::keep::done;
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{Seen, see, shell, state};

/// So many bytes that no compression makes less of, different for each `seed`.
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut number = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number.to_le_bytes()
    };
    (0..size.div_ceil(8))
        .flat_map(|_| next())
        .take(size)
        .collect()
}

/// An image of one layer, of some 300 kB.
pub fn image() -> Image {
    Image::new().packed(
        &Layer::new().file("noise", noise(1, 300_000)),
        Packed::Plain,
    )
}

/// A registry that has `image` as x/y:1, how the user calls it, and its bytes.
pub fn offered(image: &Image) -> (Registry, String, Built) {
    let registry = Registry::start();
    let built = registry.push("x/y:1", image);
    let name = registry.name("x/y:1");
    (registry, name, built)
}

/// The requests for the image's layers since the last call: their Range, or "".
pub fn ranges(registry: &Registry, built: &Built) -> Vec<String> {
    let layers: Vec<_> = built.layers.iter().map(|layer| digest(layer)).collect();
    let is_layer = |path: &str| layers.iter().any(|layer| path.ends_with(layer));
    let log = registry.log().into_iter();
    let log = log.filter(|request| is_layer(&request.path));
    log.map(|request| request.header("range").to_owned())
        .collect()
}

/// Everything in a directory of the store.
pub fn listed(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(state().join("images").join(directory));
    let entries = entries.into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Whether the image is there, with everything that it needs, and nothing else is.
pub fn assert_complete(built: &Built) {
    let mut blobs: Vec<_> = built.layers.iter().collect();
    blobs.extend([&built.manifest, &built.config]);
    let mut blobs: Vec<_> = blobs
        .into_iter()
        .map(|blob| digest(blob)[7..].to_owned())
        .collect();
    blobs.sort();
    blobs.dedup();
    assert_eq!(listed("blobs/sha256"), blobs);
    for blob in blobs {
        let bytes = fs::read(state().join("images/blobs/sha256").join(&blob)).unwrap();
        assert_eq!(digest(&bytes)[7..], blob);
    }
    assert_eq!(listed("partial"), [""; 0]);
    assert_eq!(listed("layers").len(), built.layers.len());
    assert!(!listed("layers").iter().any(|layer| layer.starts_with('.')));
}

pub fn assert_pulled(seen: &Seen) {
    assert_eq!((seen.code, &*seen.stderr), (Some(0), ""), "{}", seen.stdout);
}

#[test]
fn a_pull_prints_what_docker_prints() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    let layer = &digest(&built.layers[0])[7..19];
    let last = format!("for {name}\n{name}\n");
    let digest = built.digest();
    let seen = see(&["pull", &name]);
    assert_pulled(&seen);
    assert_eq!(
        seen.stdout,
        format!(
            "1: Pulling from x/y\n{layer}: Pull complete\nDigest: {digest}\nStatus: Downloaded newer image {last}"
        )
    );
    assert_complete(&built);
    registry.log();
    let seen = see(&["pull", &name]);
    assert_eq!(
        seen.stdout,
        format!(
            "1: Pulling from x/y\n{layer}: Already exists\nDigest: {digest}\nStatus: Image is up to date {last}"
        )
    );
    assert_eq!(registry.lines(), "GET /v2/x/y/manifests/1\n");
    let seen = see(&["pull", "-q", &name]);
    assert_eq!(seen.stdout, format!("{name}\n"));
    // With its digest, there is nothing to ask.
    registry.log();
    let name = format!("{}@{digest}", registry.name("x/y"));
    let seen = see(&["pull", "-q", &name]);
    assert_eq!(
        (seen.stdout, registry.lines()),
        (format!("{name}\n"), String::new())
    );
}

#[test]
fn what_is_there_already_is_not_fetched() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    assert_pulled(&see(&["pull", &name]));
    let more = image().layer(&Layer::new().file("more", "more"));
    let larger = registry.push("x/y:2", &more);
    registry.log();
    assert_pulled(&see(&["pull", &registry.name("x/y:2")]));
    assert_eq!(ranges(&registry, &larger).len(), 1);
    // Without the layer, its blob is unpacked again.
    let layer = state().join("images/layers").join(&listed("layers")[0]);
    fs::rename(&layer, state().join("layer")).unwrap();
    assert_pulled(&see(&["pull", &name]));
    assert_eq!(registry.lines(), "GET /v2/x/y/manifests/1\n");
    assert!(layer.join("noise").exists() || layer.join("more").exists());
    // Without the blob, only that is fetched.
    let blob = digest(&built.layers[0]);
    fs::remove_file(state().join("images/blobs/sha256").join(&blob[7..])).unwrap();
    assert_pulled(&see(&["pull", &name]));
    assert_eq!(
        registry.lines(),
        format!("GET /v2/x/y/manifests/1\nGET /v2/x/y/blobs/{blob}\n")
    );
}

#[test]
fn a_pull_of_what_there_is_not_leaves_nothing() {
    need_namespaces!();
    let registry = Registry::start();
    let seen = see(&["pull", &registry.name("x/y:1")]);
    assert_eq!((seen.code, &*seen.stdout), (Some(1), ""));
    assert!(
        seen.stderr.starts_with("tiny-docker: cannot pull "),
        "{}",
        seen.stderr
    );
    assert!(!state().join("images").exists());
}

#[test]
fn an_image_may_have_more_layers_than_a_process_may_have_open_files() {
    need_namespaces!();
    let layer = |number: usize| Layer::new().file("number", number.to_string());
    let image = (0..280).fold(Image::new(), |image, number| image.layer(&layer(number)));
    let (_registry, name, built) = offered(&image);
    let seen = shell(&format!("ulimit -n 256; exec $TD pull -q {name}"));
    assert_pulled(&seen);
    assert_complete(&built);
    // Not all of them can be open while they are removed, either.
    done(&["rmi", &name]);
    assert!(!state().join("images").exists());
}

#[test]
fn the_same_layer_may_be_in_an_image_twice() {
    need_namespaces!();
    let layer = Layer::new().file("noise", noise(2, 100_000));
    let image = image()
        .layer(&layer)
        .layer(&Layer::new().file("x", "y"))
        .layer(&layer);
    let (registry, name, built) = offered(&image);
    assert_pulled(&see(&["pull", &name]));
    assert_eq!(ranges(&registry, &built).len(), 3);
    assert_complete(&built);
}
