//! Images and filesystems in archives.

mod export;
mod hostile;
mod import;
mod load;
mod save;

use std::io::Write;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::images::build::layer::Layer;
use crate::images::build::{Built, Image, Packed, descriptor, digest};
use crate::support::{Seen, tiny_docker};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One of two layers, of which one is compressed.
fn image() -> Image {
    let few = Layer::new().file("few", [1; 1000]);
    let more = Layer::new().file("more", [7; 123_456]);
    Image::new().packed(&few, Packed::Plain).layer(&more)
}

/// The path of a blob in an archive.
fn blob(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", &digest(bytes)[7..])
}

/// Docker's own form of an archive, with its list of images at the end.
fn docker(built: &Built, tags: &[&str]) -> Layer {
    let paths = (0..built.layers.len()).map(|layer| format!("{layer}/layer.tar"));
    let mut archive = Layer::new().file("config.json", &built.config);
    for (path, layer) in paths.clone().zip(&built.layers) {
        archive = archive.file(&path, layer);
    }
    list(archive, "config.json", tags, &paths.collect::<Vec<_>>())
}

/// Adds a list of one image.
fn list(archive: Layer, config: &str, tags: &[&str], layers: &[impl AsRef<str>]) -> Layer {
    let layers: Vec<_> = layers.iter().map(AsRef::as_ref).collect();
    let image = json!({"Config": config, "RepoTags": tags, "Layers": layers});
    archive.file("manifest.json", json!([image]).to_string())
}

/// The other form: an OCI image layout. `entries` are those of its index.
fn layout(built: &Built, entries: &[Value]) -> Layer {
    let index = json!({"schemaVersion": 2, "manifests": entries});
    let layout = Layer::new()
        .file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", index.to_string());
    let blobs = [&built.manifest, &built.config].into_iter();
    blobs
        .chain(&built.layers)
        .fold(layout, |layout, bytes| layout.file(&blob(bytes), bytes))
}

/// An index's entry for the image.
fn entry(built: &Built, annotations: Value) -> Value {
    let mut entry = descriptor(MANIFEST, &built.manifest);
    entry["annotations"] = annotations;
    entry
}

/// `load`, from a pipe.
fn load(archive: &[u8]) -> Seen {
    with_input(&["load"], archive)
}

/// Runs a command that reads `input` from a pipe.
fn with_input(words: &[&str], input: &[u8]) -> Seen {
    let mut command = tiny_docker(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // It need not read all of it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

/// Loads an archive that must be good, and returns what is said.
fn loaded(archive: &[u8]) -> String {
    let seen = load(archive);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    seen.stdout
}

/// What a command writes to stdout.
fn written(words: &[&str]) -> Vec<u8> {
    let output = tiny_docker(words).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    output.stdout
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// What zstd(1) writes with compression off: a header, and blocks as they are. RFC 8878.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
    let blocks = bytes.chunks(128 << 10);
    let last = blocks.len() - 1;
    for (index, block) in blocks.enumerate() {
        let header = (block.len() as u32) << 3 | u32::from(index == last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}
