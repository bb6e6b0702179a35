//! Layers, as archives have them and as containers see them.

mod compressed;

use std::fs;
use std::path::PathBuf;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::pull::listed;
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{Seen, see, state};

fn refused_image(image: &Image) -> String {
    let registry = Registry::start();
    registry.push("x:1", image);
    let name = registry.name("x:1");
    let Seen { code, stderr, .. } = see(&["pull", "-q", &name]);
    assert_eq!(code, Some(1), "{stderr}");
    let reason = stderr.strip_prefix(&format!("tiny-docker: cannot pull {name}: "));
    reason.expect(&stderr).trim_end().to_owned()
}

/// What is said about `image`, which must be good, and the directory of its only layer.
fn pulled(image: &Image) -> (String, PathBuf) {
    // What is left of another one.
    let _ = fs::remove_dir_all(state().join("images"));
    let registry = Registry::start();
    registry.push("x:1", image);
    let Seen { code, stderr, .. } = see(&["pull", "-q", &registry.name("x:1")]);
    assert_eq!(code, Some(0), "{stderr}");
    let [layer] = &listed("layers")[..] else {
        panic!("there is more than one layer");
    };
    (stderr, state().join("images/layers").join(layer))
}

/// The directory of the only layer of `image`.
fn unpacked(image: &Image) -> PathBuf {
    let (said, directory) = pulled(image);
    assert_eq!(said, "");
    directory
}

fn unpacked_layer(layer: &Layer) -> PathBuf {
    unpacked(&Image::new().layer(layer))
}

#[test]
fn what_comes_twice_is_there_as_it_comes_last() {
    need_namespaces!();
    let layer = Layer::new()
        .file("file", "first, and longer")
        .file("file", "second")
        .directory("directory-file/sub/")
        .file("directory-file/sub/x", "")
        .file("directory-file", "now a file")
        .file("file-directory", "")
        .directory("file-directory/")
        .file("file-directory/x", "in it")
        .link("link-file", "file")
        .file("link-file", "a file of its own")
        .hard_link("hard", "file")
        .file("hard", "not the other one's content")
        .directory("kept/")
        .file("kept/x", "stays")
        .directory("kept/");
    let directory = unpacked_layer(&layer);
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(read("file"), "second");
    assert_eq!(read("directory-file"), "now a file");
    assert_eq!(read("file-directory/x"), "in it");
    assert_eq!(read("link-file"), "a file of its own");
    assert_eq!(read("kept/x"), "stays");
}
