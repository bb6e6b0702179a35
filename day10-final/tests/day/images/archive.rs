//! Images and filesystems in archives.

mod export;
mod import;

use std::io::Write;
use std::process::Stdio;

use crate::support::{Seen, tiny_docker};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Runs a command that reads `input` from a pipe.
fn with_input(words: &[&str], input: &[u8]) -> Seen {
    let mut command = tiny_docker(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // It need not read all of it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
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
