//! Layers, as archives have them and as containers see them.

mod compressed;

use std::fs;
use std::path::PathBuf;

use crate::images::build::Image;
use crate::images::pull::listed;
use crate::images::registry::Registry;
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
