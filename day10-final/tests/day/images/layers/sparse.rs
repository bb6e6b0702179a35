//! Files with holes, in each of GNU tar's ways.

use std::fs;
use std::os::unix::fs::MetadataExt;

use tar::{EntryType, GnuExtSparseHeader, GnuHeader, GnuSparseHeader, Header};

use crate::images::build::layer::Layer;
use crate::images::layers::{refused, unpacked_layer};
use crate::need_namespaces;

/// 40 pieces of 600 bytes, a MiB apart, and a hole at the end.
const PIECES: usize = 40;
const PIECE: usize = 600;
const APART: usize = 1 << 20;
const SIZE: usize = PIECES * APART;

fn data() -> Vec<u8> {
    let piece = |number: usize| [b'a' + (number % 26) as u8; PIECE];
    (0..PIECES).flat_map(piece).collect()
}

fn check(layer: &Layer) {
    let file = unpacked_layer(layer).join("holes");
    let is = fs::metadata(&file).unwrap();
    assert_eq!(is.size(), SIZE as u64);
    assert!(is.blocks() * 512 < APART as u64, "{} blocks", is.blocks());
    let content = fs::read(&file).unwrap();
    for (number, piece) in data().chunks(PIECE).enumerate() {
        let at = number * APART;
        assert_eq!(&content[at..at + PIECE], piece);
        assert!(
            content[at + PIECE..at + APART]
                .iter()
                .all(|byte| *byte == 0)
        );
    }
}

#[test]
fn holes_in_a_gnu_header_stay_holes() {
    need_namespaces!();
    check(&Layer::new().raw(&gnu(data().len())).raw(&padded(data())));
}

/// A header of the type S for so much data, with two blocks behind it.
fn gnu(stored: usize) -> Vec<u8> {
    let set = |pieces: &mut [GnuSparseHeader], first: usize| {
        for (piece, number) in pieces.iter_mut().zip(first..PIECES) {
            piece.set_offset((number * APART) as u64);
            piece.set_length(PIECE as u64);
        }
    };
    let mut header = Header::new_gnu();
    header.set_path("holes").unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(stored as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let gnu: &mut GnuHeader = header.as_gnu_mut().unwrap();
    gnu.set_real_size(SIZE as u64);
    gnu.set_is_extended(true);
    set(&mut gnu.sparse, 0);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    for (first, more) in [(4, true), (25, false)] {
        let mut block = GnuExtSparseHeader::new();
        set(block.sparse_mut(), first);
        block.set_is_extended(more);
        bytes.extend(block.as_bytes());
    }
    bytes
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn holes_in_pax_records_stay_holes() {
    need_namespaces!();
    let (size, count) = (SIZE.to_string(), PIECES.to_string());
    let pairs: Vec<_> = (0..PIECES)
        .map(|number| [(number * APART).to_string(), PIECE.to_string()])
        .collect();
    let mut oldest = vec![
        ("GNU.sparse.size", &*size),
        ("GNU.sparse.numblocks", &*count),
    ];
    for [offset, length] in &pairs {
        oldest.extend([
            ("GNU.sparse.offset", &**offset),
            ("GNU.sparse.numbytes", length),
        ]);
    }
    check(&Layer::new().pax(&oldest).file("holes", data()));

    let numbers: Vec<_> = pairs.iter().flatten().map(String::as_str).collect();
    let map = numbers.join(",");
    let name = ("GNU.sparse.name", "holes");
    let second = [("GNU.sparse.size", &*size), ("GNU.sparse.map", &map), name];
    check(
        &Layer::new()
            .pax(&second)
            .file("GNUSparseFile.0/holes", data()),
    );

    let newest = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.realsize", &size),
        name,
    ];
    let list = padded(format!("{count}\n{}\n", numbers.join("\n")).into_bytes());
    let contents = [list, data()].concat();
    check(
        &Layer::new()
            .pax(&newest)
            .file("GNUSparseFile.0/holes", contents),
    );
}

#[test]
fn a_list_of_holes_that_cannot_be_is_refused() {
    need_namespaces!();
    let damaged = "cannot unpack holes: the list of its holes is damaged";
    let sparse = |map: &str| {
        let records = [("GNU.sparse.size", "9"), ("GNU.sparse.map", map)];
        refused(&[Layer::new().pax(&records).file("holes", "data")])
    };
    for map in [
        "0,5",
        "0,3",
        "6,4",
        "4,2,0,2",
        "0,2,1,2",
        "-1,4",
        "0",
        "0,4,9223372036854775807,1",
    ] {
        let said = sparse(map);
        assert!(said.contains(damaged), "{map}: {said}");
    }
    let said = refused(&[Layer::new().raw(&gnu(999))]);
    assert!(said.contains(damaged), "{said}");
}
