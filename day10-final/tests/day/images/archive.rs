//! Images and filesystems in archives.

mod export;
use crate::support::tiny_docker;

/// What a command writes to stdout.
fn written(words: &[&str]) -> Vec<u8> {
    let output = tiny_docker(words).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    output.stdout
}
