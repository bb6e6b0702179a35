//! Images and filesystems in archives.

mod export;

use crate::support::{Seen, tiny_docker};
use std::io::Write;
use std::process::Stdio;

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
