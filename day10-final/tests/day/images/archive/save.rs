//! `save`: what it writes is what `load` reads.

use std::fs;
use std::io::Read;

use insta::assert_snapshot;
use serde_json::json;
use tempfile::TempDir;

use super::{INDEX, MANIFEST, docker, image, loaded, written};
use crate::images::build::layer::Layer;
use crate::images::build::{ARCHITECTURE, Image, descriptor, digest};
use crate::images::keep::{done, refused};
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::state;

/// The files in an archive of images.
fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let read = |entry: Result<tar::Entry<&[u8]>, _>| {
        let mut entry = entry.unwrap();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        (entry.path().unwrap().display().to_string(), contents)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn what_is_saved_is_the_same_when_it_is_loaded_again() {
    need_namespaces!();
    let registry = Registry::start();
    let built = registry.push("x/y:1", &image());
    let mut entry = descriptor(MANIFEST, &built.manifest);
    entry["platform"] = json!({"os": "linux", "architecture": ARCHITECTURE});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).to_string();
    registry.put_manifest("x/index:1", INDEX, index.as_bytes());
    let other = Image::new().layer(&Layer::new().file("few", [2; 10]));
    registry.push("x/y:2", &other);
    let names = ["x/y:1", "x/y:2", "x/index:1"].map(|name| registry.name(name));
    names
        .iter()
        .for_each(|name| drop(done(&["pull", "-q", name])));
    let before = done(&["images", "--digests", "--no-trunc"]);

    let [one, _, of_index] = &names;
    // Without a tag, all of a name is meant.
    let repository = one.strip_suffix(":1").unwrap();
    let save = ["save", repository, of_index];
    let archive = written(&save);
    assert_eq!(written(&save), archive);
    let file = state().join("archive.tar");
    let path = file.to_str().unwrap();
    assert_eq!(written(&["save", "-o", path, repository, of_index]), b"");
    assert_eq!(fs::read(&file).unwrap(), archive);

    done(&[&["rmi"], &names.each_ref().map(String::as_str)[..]].concat());
    assert_eq!(done(&["images", "-q"]), "");
    assert_eq!(done(&["load", "-i", path]).lines().count(), 3);
    assert_eq!(done(&["images", "--digests", "--no-trunc"]), before);
    assert_eq!(written(&save), archive);

    let shown = files(&archive)
        .into_iter()
        .map_while(|(path, text)| Some((path, String::from_utf8(text).ok()?)));
    let shown: String = shown
        .take(3)
        .map(|(path, text)| format!("{path}: {text}\n"))
        .collect();
    let shown = shown.replace(&registry.address.to_string(), "REGISTRY");
    let hex = |text: &str| -> String {
        let parts = text.split_inclusive(|c: char| !c.is_ascii_hexdigit());
        parts
            .map(|part| if part.len() > 64 { "HEX\"" } else { part })
            .collect()
    };
    assert_snapshot!(hex(&shown).replace("},{", "},\n{"), @r#"
    oci-layout: {"imageLayoutVersion":"1.0.0"}
    index.json: {"manifests":[{"annotations":{"io.containerd.image.name":"REGISTRY/x/y:1","org.opencontainers.image.ref.name":"1"},"digest":"sha256:HEX","mediaType":"application/vnd.oci.image.manifest.v1+json","size":552},
    {"annotations":{"io.containerd.image.name":"REGISTRY/x/y:2","org.opencontainers.image.ref.name":"2"},"digest":"sha256:HEX","mediaType":"application/vnd.oci.image.manifest.v1+json","size":400},
    {"annotations":{"io.containerd.image.name":"REGISTRY/x/index:1","org.opencontainers.image.ref.name":"1"},"digest":"sha256:HEX","mediaType":"application/vnd.oci.image.index.v1+json","size":289}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}
    manifest.json: [{"Config":"blobs/sha256/HEX","Layers":["blobs/sha256/HEX","blobs/sha256/HEX"],"RepoTags":["REGISTRY/x/y:1"]},
    {"Config":"blobs/sha256/HEX","Layers":["blobs/sha256/HEX"],"RepoTags":["REGISTRY/x/y:2"]},
    {"Config":"blobs/sha256/HEX","Layers":["blobs/sha256/HEX","blobs/sha256/HEX"],"RepoTags":["REGISTRY/x/index:1"]}]
    "#);
}

#[test]
fn an_id_is_saved_without_a_name() {
    need_namespaces!();
    let built = image().build();
    loaded(&docker(&built, &["some:1", "some:2"]).archive());
    let archive = written(&["save", &built.id()[7..19]]);
    done(&["rmi", "some:1", "some:2"]);
    assert_eq!(
        loaded(&archive),
        format!("Loaded image ID: {}\n", built.id())
    );
}

#[test]
fn an_archive_is_there_when_it_is_complete() {
    need_namespaces!();
    loaded(&docker(&image().build(), &["some:1"]).archive());
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("some.tar");
    fs::write(&file, "before").unwrap();
    let blobs = state().join("images/blobs/sha256");
    let mut more = image().build().layers.remove(1);
    let blob = blobs.join(&digest(&more)[7..]);
    more[20] ^= 1;
    let path = file.to_str().unwrap();
    for (damaged, problem) in [
        (
            &more[..],
            "is damaged\nhint: remove and pull the image again\n",
        ),
        (&more[1..], "has another size than its image says\n"),
    ] {
        fs::write(&blob, damaged).unwrap();
        let said = refused(&["save", "-o", path, "some:1"]);
        assert!(said.ends_with(problem), "{said}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"before");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}
