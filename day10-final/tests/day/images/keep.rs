//! Looking at the images in the store.

use std::fs;

use insta::assert_snapshot;
use serde_json::json;

use crate::images::build::layer::Layer;
use crate::images::build::{Built, Image};
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{Seen, see, state, without_age};

/// A registry with an image of one layer, and another one that adds 123,456 bytes to it. Both are in the store.
pub struct Shelf {
    pub registry: Registry,
    pub small: Built,
    pub large: Built,
}

impl Shelf {
    /// They are called `small:1` and `large:1`, and have no other names.
    pub fn new() -> Self {
        let registry = Registry::start();
        let mut small = Image::new().layer(&Layer::new().file("few", [1; 1000]));
        small.config["created"] = json!("2024-01-02T03:04:05.678Z");
        let mut large = small
            .clone()
            .layer(&Layer::new().file("more", [7; 123_456]));
        large.config["created"] = json!("2024-03-04T00:30:00+01:00");
        let [small, large] = [("small", small), ("large", large)].map(|(name, image)| {
            let built = registry.push(&format!("x/{name}:1"), &image);
            let there = registry.name(&format!("x/{name}:1"));
            done(&["pull", "-q", &there]);
            done(&["tag", &there, &format!("{name}:1")]);
            done(&["rmi", &there]);
            built
        });
        Self {
            registry,
            small,
            large,
        }
    }

    /// `text` with SMALL and LARGE in place of the images' ids, AGE in place of ages, and a bar between columns.
    pub fn plain(&self, text: &str) -> String {
        let text = text
            .replace(&self.small.id(), "SMALL")
            .replace(&self.small.id()[7..19], "SMALL")
            .replace(&self.large.id(), "LARGE")
            .replace(&self.large.id()[7..19], "LARGE")
            .replace(&self.small.digest(), "DIGEST-OF-SMALL")
            .replace(&self.large.digest(), "DIGEST-OF-LARGE")
            .replace(&self.registry.address.to_string(), "REGISTRY");
        let digest = |word: &str| match word.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 => "LAYER".to_owned(),
            _ => word.to_owned(),
        };
        let cells = |line: &str| -> String {
            let cells = line.split("  ").map(str::trim);
            let cells = cells.filter(|cell| !cell.is_empty());
            let cells: Vec<_> = cells.map(without_age).collect();
            let words = cells.join(" | ");
            words.split(' ').map(digest).collect::<Vec<_>>().join(" ") + "\n"
        };
        text.lines().map(cells).collect()
    }
}

/// Runs a command that must succeed, and returns what it prints.
pub fn done(words: &[&str]) -> String {
    let seen = see(words);
    assert_eq!(
        (seen.code, seen.stderr.as_str()),
        (Some(0), ""),
        "{words:?}"
    );
    seen.stdout
}

/// Runs a command that must fail, and returns what it says. It prints nothing.
pub fn refused(words: &[&str]) -> String {
    let Seen {
        code,
        stdout,
        stderr,
    } = see(words);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(1), ""),
        "{words:?}: {stderr}"
    );
    stderr
}

#[test]
fn images_are_listed_by_their_names_and_the_newest_first() {
    need_namespaces!();
    let shelf = Shelf::new();
    let images = |words: &[&str]| shelf.plain(&done(&[&["images"], words].concat()));
    done(&["tag", "small:1", "ghcr.io/some/where"]);
    assert_snapshot!(images(&[]), @"
    REPOSITORY | TAG | IMAGE ID | CREATED | SIZE
    large | 1 | LARGE | AGE ago | 124kB
    small | 1 | SMALL | AGE ago | 1kB
    ghcr.io/some/where | latest | SMALL | AGE ago | 1kB
    ");
    assert_snapshot!(images(&["--digests", "small"]), @"
    REPOSITORY | TAG | DIGEST | IMAGE ID | CREATED | SIZE
    small | 1 | DIGEST-OF-SMALL | SMALL | AGE ago | 1kB
    ");
    assert_snapshot!(images(&["--no-trunc", "docker.io/library/large"]), @"
    REPOSITORY | TAG | IMAGE ID | CREATED | SIZE
    large | 1 | LARGE | AGE ago | 124kB
    ");
    assert_snapshot!(images(&["-q"]), @"
    LARGE
    SMALL
    SMALL
    ");
    assert_eq!(images(&["-q", "small:1"]), "SMALL\n");
    assert_eq!(images(&["-q", "small:2"]), "");
    assert_eq!(images(&["-q", "some/where"]), "");
    assert_eq!(images(&["-q", "ghcr.io/some/where"]), "SMALL\n");
    assert_eq!(done(&["image", "ls"]), done(&["images"]));
    assert_snapshot!(refused(&["images", "UPPER"]), @"tiny-docker: cannot list images: 'UPPER' is not an image's name: a repository cannot have capital letters");
}

#[test]
fn without_images_there_is_an_empty_list_and_no_directory() {
    need_namespaces!();
    let empty = "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n";
    assert_eq!(done(&["images"]), empty);
    assert_eq!(
        done(&["image", "prune", "-f"]),
        "Total reclaimed space: 0B\n"
    );
    done(&["system", "df"]);
    assert!(!state().join("images").exists());
}

#[test]
fn an_image_without_a_name_is_shown_without_one() {
    need_namespaces!();
    let shelf = Shelf::new();
    done(&["tag", "large:1", "small:1"]);
    assert_snapshot!(shelf.plain(&done(&["images"])), @"
    REPOSITORY | TAG | IMAGE ID | CREATED | SIZE
    large | 1 | LARGE | AGE ago | 124kB
    small | 1 | LARGE | AGE ago | 124kB
    <none> | <none> | SMALL | AGE ago | 1kB
    ");
    // A name that is a digest has no tag.
    let by_digest = shelf
        .registry
        .name(&format!("x/small@{}", shelf.small.digest()));
    done(&["pull", "-q", &by_digest]);
    assert_snapshot!(shelf.plain(&done(&["images"])), @"
    REPOSITORY | TAG | IMAGE ID | CREATED | SIZE
    large | 1 | LARGE | AGE ago | 124kB
    small | 1 | LARGE | AGE ago | 124kB
    REGISTRY/x/small | <none> | SMALL | AGE ago | 1kB
    ");
}

#[test]
fn a_tag_is_one_more_name() {
    need_namespaces!();
    let shelf = Shelf::new();
    let ids = |name: &str| shelf.plain(&done(&["images", "-q", name]));
    for source in ["small:1", &shelf.small.id(), &shelf.small.id()[7..12]] {
        assert_eq!(done(&["tag", source, "other"]), "");
        assert_eq!(ids("other:latest"), "SMALL\n");
        assert_eq!(done(&["image", "tag", "large:1", "other"]), "");
        assert_eq!(ids("other:latest"), "LARGE\n");
    }
    let digest = format!("other@{}", shelf.small.digest());
    assert_snapshot!(refused(&["tag", "small:1", &digest]).replace(&shelf.small.digest(), "DIGEST"), @"tiny-docker: cannot tag small:1 as other@sha256:40ccbc2e64ba932a0fc86b212306870636ca6d54c4670767f95…: a digest cannot be given: it follows from the content");
    assert_snapshot!(refused(&["tag", "nope", "other"]), @"
    tiny-docker: cannot tag nope as other: no such image
    hint: tiny-docker images lists all images
    ");
    assert_snapshot!(refused(&["tag", "small:1", "a b"]), @"tiny-docker: cannot tag small:1 as a b: 'a b' is not an image's name: a repository consists of a-z and 0-9, with . _ or - between them");
    assert_eq!(ids("other:latest"), "LARGE\n");
}

#[test]
fn history_shows_what_the_image_says_about_its_layers() {
    need_namespaces!();
    let shelf = Shelf::new();
    let mut image = Image::new()
        .layer(&Layer::new().file("few", [1; 1000]))
        .layer(&Layer::new().file("more", [7; 123_456]))
        .layer(&Layer::new().file("unsaid", [9; 77]));
    image.config["history"] = json!([
        {"created": "2024-01-02T03:04:05Z", "created_by": "COPY few /"},
        {"created": "now\u{1b}[2J", "created_by": "ENV\tA=\u{1b}[31m\n\u{202e}", "empty_layer": true},
        {"created_by": format!("RUN {}", "x".repeat(100)), "comment": "y".repeat(100)},
        {},
    ]);
    let built = shelf.registry.push("x/history:1", &image);
    let name = shelf.registry.name("x/history:1");
    done(&["pull", "-q", &name]);
    let history = |words: &[&str]| {
        let shown = shelf.plain(&done(&[&["history", &name], words].concat()));
        shown
            .replace(&built.id(), "ID")
            .replace(&built.id()[7..19], "ID")
    };
    assert_snapshot!(history(&[]), @r"
    IMAGE | CREATED | CREATED BY | SIZE | COMMENT
    ID | N/A | 77B
    <missing> | N/A | RUN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… | 123kB | yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
    <missing> | N/A | ENV A=\u{1b}[31m\n\u{202e} | 0B
    <missing> | AGE ago | COPY few / | 1kB
    ");
    assert_snapshot!(history(&["--no-trunc"]).replace(&"x".repeat(100), "X").replace(&"y".repeat(100), "Y"), @r"
    IMAGE | CREATED | CREATED BY | SIZE | COMMENT
    LAYER | N/A | 77B
    <missing> | N/A | RUN X | 123kB | Y
    <missing> | N/A | ENV A=\u{1b}[31m\n\u{202e} | 0B
    <missing> | AGE ago | COPY few / | 1kB
    ");
    assert_snapshot!(history(&["-q"]), @"
    ID
    <missing>
    <missing>
    <missing>
    ");
    assert_snapshot!(refused(&["history", "nope"]), @"
    tiny-docker: cannot show the history of nope: no such image
    hint: tiny-docker images lists all images
    ");
}

#[test]
fn a_damaged_image_costs_only_itself() {
    need_namespaces!();
    let shelf = Shelf::new();
    let blob = |digest: &str| state().join("images/blobs/sha256").join(&digest[7..]);
    fs::write(blob(&shelf.large.id()), "{").unwrap();
    let seen = see(&["images", "-q"]);
    assert_eq!(
        (seen.code, shelf.plain(&seen.stdout)),
        (Some(0), "SMALL\n".to_owned())
    );
    let here = state().display().to_string();
    assert_snapshot!(shelf.plain(&seen.stderr.replace(&here, "STATE")), @"
    tiny-docker: cannot read the image large:1: cannot read STATE/images/blobs/sha256/LARGE49010b4312537438ffaab5b0845290862e818e3b979b1364bfa5: it is damaged
    hint: rm STATE/images/blobs/sha256/LARGE49010b4312537438ffaab5b0845290862e818e3b979b1364bfa5, and pull the image again
    ");
    // It goes nevertheless, and so does one without a manifest.
    assert_snapshot!(shelf.plain(&done(&["rmi", "large:1"])), @"
    Untagged: large:1
    Deleted: LARGE
    Deleted: LAYER
    ");
    fs::remove_file(blob(&shelf.small.digest())).unwrap();
    let removed = shelf.plain(&done(&["rmi", "small:1"]));
    assert!(removed.starts_with("Untagged: small:1\n"), "{removed}");
    assert_eq!(done(&["images", "-q"]), "");
}

#[test]
fn a_size_that_was_written_down_wrong_is_measured_again() {
    need_namespaces!();
    let shelf = Shelf::new();
    let images = || shelf.plain(&done(&["images", "large"]));
    let before = images();
    for entry in fs::read_dir(state().join("images/sizes")).unwrap() {
        fs::write(entry.unwrap().path(), "many\n").unwrap();
    }
    assert_eq!(images(), before);
}
