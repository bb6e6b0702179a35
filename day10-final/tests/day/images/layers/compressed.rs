//! Layers that are compressed, in one way or another.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::images::build::layer::Layer;
use crate::images::build::{Image, Packed};
use crate::images::layers::{refused_image, unpacked};
use crate::need_namespaces;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// An image of this layer, as `blob` has it.
fn image(layer: &Layer, blob: Vec<u8>, suffix: &'static str) -> Image {
    Image::new().packed(layer, Packed::As(blob, suffix))
}

fn layer() -> Layer {
    let text = (0..20_000).map(|line| format!("{line}\n"));
    Layer::new().file("text", text.collect::<String>())
}

#[test]
fn a_layer_may_have_members_frames_and_zeros_at_its_end() {
    need_namespaces!();
    let (layer, archive) = (layer(), layer().archive());
    let (one, two) = archive.split_at(archive.len() / 2);
    let notes: &[u8] = b"\x5a\x2a\x4d\x18\x05\0\0\0hello";
    let blobs = [
        ("", archive.clone()),
        ("+gzip", gzip(&archive)),
        ("+gzip", [gzip(one), gzip(&[]), gzip(two)].concat()),
        ("+gzip", [gzip(&archive), vec![0; 512]].concat()),
        ("+gzip", [gzip(one), vec![0; 512], gzip(two)].concat()),
        ("+zstd", zstd(&archive)),
        (
            "+zstd",
            [notes, &zstd(one), notes, &zstd(two), notes].concat(),
        ),
    ];
    for (suffix, blob) in blobs {
        let text = unpacked(&image(&layer, blob, suffix)).join("text");
        assert_eq!(fs::read(text).unwrap().len(), 108_890);
    }
}

#[test]
fn what_is_compressed_must_be_so_to_its_end_and_as_its_type_says() {
    need_namespaces!();
    let (layer, archive) = (layer(), layer().archive());
    let (gzip, zstd) = (gzip(&archive), zstd(&archive));
    let cut = |blob: &[u8]| blob[..blob.len() - 9].to_vec();
    let longer = |blob: &[u8]| [blob, b"more"].concat();
    let mut flipped = gzip.clone();
    flipped[gzip.len() / 2] ^= 4;
    for (suffix, blob, reason) in [
        ("+gzip", cut(&gzip), "unexpected end of file"),
        ("+gzip", longer(&gzip), "the gzip data is damaged"),
        ("+gzip", flipped, "the gzip data is damaged"),
        ("+zstd", cut(&zstd), "unexpected end of file"),
        ("+zstd", longer(&zstd), "the zstd data is damaged"),
        (
            "+gzip",
            Vec::new(),
            "it is not compressed, but its media type says otherwise",
        ),
        (
            "+zstd",
            gzip.clone(),
            "it is compressed with gzip, but its media type says otherwise",
        ),
        (
            "",
            zstd.clone(),
            "it is compressed with zstd, but its media type says otherwise",
        ),
        (
            "",
            b"BZh91AY&SY".to_vec(),
            "it is compressed with neither gzip nor zstd",
        ),
        ("+xz", archive.clone(), "of an unknown type"),
    ] {
        let said = refused_image(&image(&layer, blob, suffix));
        assert!(said.contains(reason), "{suffix}: {said}");
    }
}

#[test]
fn a_few_bytes_do_not_become_many() {
    need_namespaces!();
    let layer = Layer::new().file("small", "x");
    // 352 MiB of zeros behind the end of the archive.
    let mut zeros = GzEncoder::new(Vec::new(), Compression::best());
    zeros.write_all(&vec![0; 32 << 20]).unwrap();
    let zeros = zeros.finish().unwrap().repeat(11);
    let blob = [gzip(&layer.archive()), zeros].concat();
    let said = refused_image(&image(&layer, blob, "+gzip"));
    let reason = "far more comes out of it than its size would let one expect";
    assert!(said.contains(reason), "{said}");
}
