//! `load`: archives as different programs write them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{INDEX, MANIFEST, blob, docker, entry, gzip, image, layout, list, load, loaded};
use super::{with_input, zstd};
use crate::images::build::layer::Layer;
use crate::images::build::{ARCHITECTURE, Image, descriptor};
use crate::images::keep::{done, refused};
use crate::need_namespaces;
use crate::support::{Running, Seen, state, tiny_docker, wait_until};

#[test]
fn what_docker_has_saved_is_loaded() {
    need_namespaces!();
    let built = image().build();
    let [first, second] = [&built.layers[0], &built.layers[1]];
    let tags = ["some:1", "ghcr.io/other/one:2"];
    let plain = docker(&built, &tags).archive();
    let with_links = Layer::new()
        .directory("a/")
        .file("a/VERSION", "1.0")
        .file("a/layer.tar", first)
        .file("c", second)
        .link("b/layer.tar", "../c")
        .hard_link("config.json", "b/../config")
        .file("config", &built.config);
    let paths = ["./a/layer.tar", "b/layer.tar"];
    let with_links = list(with_links, "config.json", &tags, &paths).archive();
    for archive in [&plain, &with_links, &gzip(&plain), &zstd(&plain)] {
        let said = loaded(archive);
        assert_eq!(
            said,
            "Loaded image: some:1\nLoaded image: ghcr.io/other/one:2\n"
        );
        let ids = done(&["images", "-q", "--no-trunc"]);
        assert_eq!(ids, format!("{0}\n{0}\n", built.id()));
        done(&["rmi", "some:1", "ghcr.io/other/one:2"]);
    }
    // It has no name, and is found by its id.
    let seen = loaded(&docker(&built, &[]).archive());
    assert_eq!(seen, format!("Loaded image ID: {}\n", built.id()));
    done(&["rmi", &built.id()]);
    assert!(!state().join("images").exists());
}

#[test]
fn an_image_layout_in_an_archive_is_loaded() {
    need_namespaces!();
    let built = image().build();
    let with = |annotations: Value| layout(&built, &[entry(&built, annotations)]).archive();
    let [complete, tag] = [
        "io.containerd.image.name",
        "org.opencontainers.image.ref.name",
    ];
    let name = "Loaded image: some:1\n";
    let id = format!("Loaded image ID: {}\n", built.id());
    for (annotations, said) in [
        (
            json!({complete: "docker.io/library/some:1", tag: "1"}),
            name,
        ),
        (json!({tag: "docker.io/library/some:1"}), name),
        // A tag alone is no name.
        (json!({tag: "latest"}), &id),
        (json!({}), &id),
    ] {
        assert_eq!(loaded(&with(annotations)), said);
        let digests = done(&["images", "--digests"]);
        assert!(digests.contains(&built.digest()), "{digests}");
        done(&["rmi", &built.id()]);
    }
    // Of several machines' images, only this machine's has to be there.
    let mut entries = [entry(&built, json!({})), descriptor(MANIFEST, b"another")];
    entries[0]["platform"] = json!({"os": "linux", "architecture": ARCHITECTURE});
    entries[1]["platform"] = json!({"os": "linux", "architecture": "riscv64"});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
    let mut outer = descriptor(INDEX, index.as_bytes());
    outer["annotations"] = json!({complete: "docker.io/library/some:1"});
    let nested = layout(&built, &[outer]).file(&blob(index.as_bytes()), &index);
    for archive in [nested, layout(&built, &entries)] {
        assert!(loaded(&archive.archive()).starts_with("Loaded image"));
        assert_eq!(
            done(&["images", "-q", "--no-trunc"]),
            format!("{}\n", built.id())
        );
        done(&["rmi", &built.id()]);
    }
}

#[test]
fn a_name_moves_to_the_image_that_is_loaded() {
    need_namespaces!();
    let [first, second] = [1, 2].map(|byte| {
        let layer = Layer::new().file("few", [byte; 10]);
        Image::new().layer(&layer).build()
    });
    loaded(&docker(&first, &["some:1"]).archive());
    let archive = docker(&second, &["some:1"]).archive();
    let said = loaded(&archive).replace(&first.id(), "FIRST");
    assert_snapshot!(said, @"
    The image some:1 already exists, renaming the old one with ID FIRST to empty string
    Loaded image: some:1
    ");
    loaded(&docker(&first, &["some:1"]).archive());
    let seen = with_input(&["load", "-q"], &archive);
    assert_eq!(seen.stdout, "Loaded image: some:1\n");
    assert_eq!(
        done(&["images", "-q", "--no-trunc", "some"]),
        second.id() + "\n"
    );
    // The old one is still there.
    assert_eq!(done(&["images", "-q"]).lines().count(), 2);
}

#[test]
fn what_cannot_be_loaded_or_saved_is_refused_with_the_reason() {
    need_namespaces!();
    assert_snapshot!(refused(&["save", "some:1"]), @"tiny-docker: cannot save some:1: there are no images");
    loaded(&docker(&image().build(), &["some:1"]).archive());
    assert_snapshot!(refused(&["save", "some:1", "nope"]), @"
    tiny-docker: cannot save nope: no such image
    hint: tiny-docker images lists all images
    ");
    assert_snapshot!(refused(&["save", "-o", "/nope/x.tar", "some:1"]), @"tiny-docker: cannot write /nope/x.tar: No such file or directory (os error 2)");
    assert_snapshot!(refused(&["save", "-o", "/dev/full", "some:1"]), @"tiny-docker: cannot save the images: cannot write it: No space left on device (os error 28)");
    assert_snapshot!(refused(&["load", "-i", "/nope.tar"]), @"tiny-docker: cannot load /nope.tar: No such file or directory (os error 2)");
    assert_snapshot!(refused(&["load", "-i", "/usr"]), @"
    tiny-docker: cannot load /usr: it is a directory
    hint: tar -C /usr -c . | tiny-docker load
    ");
    assert_snapshot!(load(b"\xfd7zXZ\0 and so on").stderr, @"
    tiny-docker: cannot load stdin: it is compressed with neither gzip nor zstd
    hint: decompress it first, for example with xz -dc
    ");
    for (words, said) in [
        (
            &["save", "some:1"][..],
            "cannot write an archive to a terminal",
        ),
        (&["load"], "cannot load stdin: it is a terminal"),
    ] {
        let words = format!("{} {}", env!("CARGO_BIN_EXE_tiny-docker"), words.join(" "));
        let mut script = Command::new("script");
        script
            .args(["-qec", &words, "/dev/null"])
            .env("TINY_DOCKER_ROOT", state());
        let seen: Seen = script.stdin(Stdio::null()).output().unwrap().into();
        assert!(seen.stdout.contains(said), "{}", seen.stdout);
        assert_eq!(seen.code, Some(1));
    }
}

#[test]
fn what_a_killed_load_has_left_goes_with_the_next_one() {
    need_namespaces!();
    let built = image().build();
    let archive = docker(&built, &["some:1"]).archive();
    let partial = state().join("images/partial");
    let count = |directory: &Path| fs::read_dir(directory).map_or(0, Iterator::count);
    for _ in 0..3 {
        let mut command = tiny_docker(&["load"]);
        let mut load = Running::start(command.stdin(Stdio::piped()));
        let mut stdin = load.0.stdin.take().unwrap();
        stdin.write_all(&archive[..archive.len() - 4096]).unwrap();
        wait_until("files in the store", || count(&partial) > 1);
        load.signal(libc::SIGKILL);
        load.0.wait().unwrap();
        drop(stdin);
        assert_eq!(done(&["images", "-q"]), "");
    }
    wait_until("them loaded", || load_again(&archive));
    assert_eq!(count(&partial), 0);
}

fn load_again(archive: &[u8]) -> bool {
    load(archive).code == Some(0)
}
