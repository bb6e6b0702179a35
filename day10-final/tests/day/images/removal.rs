//! Removing images, and what is left of them.

use std::fs;

use crate::images::keep::{Shelf, done, refused};
use crate::need_namespaces;
use crate::support::{see, state};
use insta::assert_snapshot;

/// The names in a directory of the store.
fn stored(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(state().join("images").join(directory));
    let entries = entries.into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn with_its_last_name_an_image_goes_and_shared_layers_stay() {
    need_namespaces!();
    let shelf = Shelf::new();
    done(&["tag", "large:1", "large:2"]);
    done(&["images"]);
    assert_snapshot!(shelf.plain(&done(&["rmi", "large:1"])), @"Untagged: large:1");
    assert_snapshot!(shelf.plain(&done(&["image", "rm", "large:2"])), @"
    Untagged: large:2
    Deleted: LARGE
    Deleted: LAYER
    ");
    assert_eq!((stored("layers").len(), stored("sizes").len()), (1, 1));
    assert_snapshot!(shelf.plain(&done(&["images"])), @"
    REPOSITORY | TAG | IMAGE ID | CREATED | SIZE
    small | 1 | SMALL | AGE ago | 1kB
    ");
    assert_snapshot!(shelf.plain(&done(&["rmi", &shelf.small.id()])), @"
    Untagged: small:1
    Deleted: SMALL
    Deleted: LAYER
    ");
    assert!(!state().join("images").exists());
}

#[test]
fn an_id_with_several_names_is_removed_by_force() {
    need_namespaces!();
    let shelf = Shelf::new();
    for name in ["small:2", "other:1", "other:2"] {
        done(&["tag", "small:1", name]);
    }
    let id = &shelf.small.id()[7..19];
    assert_snapshot!(shelf.plain(&refused(&["rmi", id])), @"
    tiny-docker: cannot remove SMALL: conflict: it has 4 names: small:1, small:2, other:1, …
    hint: tiny-docker rmi -f SMALL
    ");
    // Each of several arguments counts.
    let seen = see(&["rmi", "other:2", "nope", "large:1"]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(shelf.plain(&(seen.stdout + &seen.stderr)), @"
    Untagged: other:2
    Untagged: large:1
    Deleted: LARGE
    Deleted: LAYER
    tiny-docker: cannot remove nope: no such image
    hint: tiny-docker images lists all images
    ");
    assert_snapshot!(shelf.plain(&done(&["rmi", "-f", id])), @"
    Untagged: small:1
    Untagged: small:2
    Untagged: other:1
    Deleted: SMALL
    Deleted: LAYER
    ");
    let seen = see(&["rmi", "-f", id, "nope"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), ""));
}

#[test]
fn an_image_without_a_name_is_removed_by_its_id() {
    need_namespaces!();
    let shelf = Shelf::new();
    done(&["tag", "large:1", "small:1"]);
    assert_snapshot!(shelf.plain(&done(&["rmi", &shelf.small.id()[7..12]])), @"Deleted: SMALL");
    // Its only layer is the other's first.
    assert_eq!(stored("layers").len(), 2);
}
