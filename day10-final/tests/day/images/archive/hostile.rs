//! Archives that somebody has made in order to break something. Each is refused as a whole, by its name.

use std::fs;

use insta::assert_snapshot;
use serde_json::json;
use tar::EntryType;

use super::{MANIFEST, blob, docker, entry, gzip, image, layout, list, load};
use crate::images::build::layer::Layer;
use crate::images::build::{Built, Image, Packed, descriptor};
use crate::images::keep::done;
use crate::need_namespaces;
use crate::support::state;

/// Why the archive is not loaded. Nothing of it is left.
fn refused(archive: &[u8]) -> String {
    let seen = load(archive);
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(1), ""),
        "{}",
        seen.stderr
    );
    assert!(!state().join("images").exists(), "{}", seen.stderr);
    let said = seen.stderr.strip_prefix("tiny-docker: cannot load stdin: ");
    let said = said.unwrap_or_else(|| panic!("{}", seen.stderr));
    // Digests differ from machine to machine, since their architectures do.
    let parts = said.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    parts
        .map(|part| if part.len() > 50 { "HEX " } else { part })
        .collect()
}

fn small() -> Built {
    Image::new()
        .packed(&Layer::new().file("few", "text"), Packed::Plain)
        .build()
}

#[test]
fn an_archive_cannot_reach_outside() {
    need_namespaces!();
    let built = small();
    let good = || docker(&built, &["some:1"]);
    let with_layer = |path: &str, layer: Layer| {
        let archive = layer.file("config.json", &built.config);
        refused(&list(archive, "config.json", &["some:1"], &[path]).archive())
    };
    let link = |target: &str| with_layer("a/layer.tar", Layer::new().link("a/layer.tar", target));
    assert_snapshot!(refused(&good().file("../../evil", "").archive()), @"cannot unpack ../../evil: it leads out of the image");
    assert_snapshot!(with_layer("../../../etc/passwd", Layer::new()), @"cannot read ../../../etc/passwd: it leads out of the image");
    assert_snapshot!(with_layer("/etc/passwd", Layer::new()), @"cannot read /etc/passwd: it is missing");
    assert_snapshot!(link("/etc/passwd"), @"cannot read a/layer.tar: it is a link that leads out of the archive");
    assert_snapshot!(link("../../etc/passwd"), @"cannot read a/layer.tar: it is a link that leads out of the archive: it leads out of the image");
    assert_snapshot!(link("layer.tar"), @"cannot read a/layer.tar: too many links");
    let hard = Layer::new().hard_link("layer.tar", "../etc/passwd");
    assert_snapshot!(with_layer("layer.tar", hard), @"cannot unpack layer.tar: it is a link to something else: it leads out of the image");
    let fifo = good().entry("fifo", "", |header| header.set_entry_type(EntryType::Fifo));
    assert_snapshot!(refused(&fifo.archive()), @"cannot read fifo: an archive of images has no such files");
    let evil = Layer::new().file("../../../../../../../tmp/evil", "");
    let evil = Image::new().packed(&evil, Packed::Plain).build();
    assert_snapshot!(refused(&docker(&evil, &["some:1"]).archive()), @"layer sha256:HEX  cannot unpack ../../../../../../../tmp/evil: it leads out of the image");
}

#[test]
fn an_archive_that_means_two_things_is_refused() {
    need_namespaces!();
    let built = small();
    let good = || docker(&built, &["some:1"]);
    assert_snapshot!(refused(&list(good(), "config.json", &["other:1"], &["0/layer.tar"]).archive()), @"cannot read manifest.json: it is there twice, and not the same");
    assert_snapshot!(refused(&good().link("0/layer.tar", "../config.json").archive()), @"cannot read 0/layer.tar: it is there twice, and not the same");
    let named = |name: &str| {
        let name = json!({"io.containerd.image.name": name});
        refused(&layout(&built, &[entry(&built, name)]).archive())
    };
    assert_snapshot!(named(&format!("some@sha256:{}", "0".repeat(64))), @"some@sha256:HEX  is not the name of sha256:HEX");
    assert_snapshot!(named("../../some:1"), @"'../../some:1' is not an image's name: its registry must be a host, or a host and a port");
    assert_snapshot!(refused(&docker(&built, &["some\u{1b}[2J:1"]).archive()), @r"'some\u{1b}[2J:1' is not an image's name: a repository cannot have capital letters");
}

#[test]
fn what_is_not_what_its_digest_says_is_refused() {
    need_namespaces!();
    let good = small();
    let with = |change: fn(&mut Built)| {
        let mut built = small();
        change(&mut built);
        built
    };
    let wrong = layout(&good, &[entry(&good, json!({}))]).file(&blob(b"something"), "else");
    assert_snapshot!(refused(&wrong.archive()), @"cannot read blobs/sha256/HEX : it is something else: sha256:HEX");
    let mut size = entry(&good, json!({}));
    size["size"] = json!(5);
    assert_snapshot!(refused(&layout(&good, &[size]).archive()), @"sha256:HEX has 397 bytes, and not 5");
    let without = with(|built| built.layers.clear());
    assert_snapshot!(refused(&layout(&without, &[entry(&good, json!({}))]).archive()), @"cannot read blobs/sha256/HEX : it is missing");
    let linked = Layer::new().file("layer", &good.layers[0]);
    let linked = linked.link(&blob(&good.layers[0]), "../../layer");
    assert_snapshot!(refused(&linked.archive()), @"cannot read blobs/sha256/HEX : a blob is not a link");
    let other = with(|built| built.layers[0] = Layer::new().file("few", "tent").archive());
    assert_snapshot!(refused(&docker(&other, &["some:1"]).archive()), @"layer sha256:HEX  it contains sha256:HEX  and the image says sha256:HEX");
    let another = descriptor(MANIFEST, b"another");
    assert_snapshot!(refused(&layout(&good, &[another]).archive()), @"cannot read blobs/sha256/HEX : it is missing");
    let mut elsewhere = Image::new();
    elsewhere.config["architecture"] = json!("riscv64");
    let elsewhere = refused(&docker(&elsewhere.build(), &["some:1"]).archive());
    assert!(
        elsewhere.starts_with("it is for linux/riscv64, and this machine is "),
        "{elsewhere}"
    );
}

#[test]
fn an_archive_that_is_cut_off_or_damaged_is_refused() {
    need_namespaces!();
    let archive = docker(&image().build(), &["some:1"]).archive();
    for length in [0, 100, 512, 700, archive.len() / 2, archive.len() - 2500] {
        refused(&archive[..length]);
    }
    let compressed = gzip(&archive);
    refused(&compressed[..compressed.len() - 5]);
    let mut damaged = compressed.clone();
    damaged[compressed.len() - 6] ^= 1;
    assert_snapshot!(refused(&damaged), @"the gzip data is damaged");
    assert_snapshot!(refused(b"no archive at all"), @"the archive ends too early");
    assert_snapshot!(refused(&Layer::new().archive()), @"
    it has neither index.json nor manifest.json, so there are no images in it
    hint: tiny-docker import makes an image of a root filesystem
    ");
    for (file, text) in [
        ("manifest.json", "[{\n\u{1b}"),
        ("manifest.json", "[]"),
        ("index.json", "{}"),
    ] {
        refused(&Layer::new().file(file, text).archive());
    }
    // The second image is not there, so the first one is not loaded either.
    let two = json!([
        {"Config": "config.json", "RepoTags": ["some:1"], "Layers": ["0/layer.tar"]},
        {"Config": "config.json", "RepoTags": ["some:2"], "Layers": ["1/layer.tar"]},
    ]);
    let built = small();
    let archive = Layer::new().file("config.json", &built.config);
    let archive = archive.file("0/layer.tar", &built.layers[0]);
    assert_snapshot!(refused(&archive.file("manifest.json", two.to_string()).archive()), @"cannot read 1/layer.tar: it is missing");
}

#[test]
fn an_archive_cannot_have_too_much_of_anything() {
    need_namespaces!();
    let built = small();
    let large = docker(&built, &[&"x".repeat(5 << 20)]);
    assert_snapshot!(refused(&large.archive()), @"cannot read manifest.json: it is too large");
    let many = (0..33_000).fold(Layer::new(), |many, n| many.directory(&format!("{n}/")));
    assert_snapshot!(refused(&many.archive()), @"it has more than 32768 entries");
    // Such an entry would be in the store once for each name.
    let name =
        |n: usize| json!({"io.containerd.image.name": format!("docker.io/library/some:{n}")});
    let mut names: Vec<_> = (0..1001).map(|n| entry(&built, name(n))).collect();
    names[0]["more"] = json!("x".repeat(1 << 20));
    assert_snapshot!(refused(&layout(&built, &names).archive()), @"its images have more than 1000 names");
    names.truncate(30);
    assert_eq!(load(&layout(&built, &names).archive()).code, Some(0));
    assert!(
        fs::metadata(state().join("images/index.json"))
            .unwrap()
            .len()
            < 20_000
    );
    done(&["rmi", "-f", &built.id()]);
    let long = Layer::new()
        .pax(&[("path", &"x/".repeat(1000))])
        .file("short", "");
    assert_snapshot!(refused(&long.archive()), @"cannot read x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/…: its path is too long");
    let layers = vec!["0/layer.tar"; 501];
    let mut image = Image::new();
    for _ in &layers {
        image = image.packed(&Layer::new().file("few", "text"), Packed::Plain);
    }
    let archive = Layer::new().file("config.json", image.build().config);
    let archive = archive.file("0/layer.tar", &built.layers[0]);
    assert_snapshot!(refused(&list(archive, "config.json", &["some:1"], &layers).archive()), @"it has 501 layers, and overlayfs takes 500");
}
