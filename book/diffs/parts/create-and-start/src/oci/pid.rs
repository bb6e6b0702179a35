//! How others get to know a process that we have started.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use nix::unistd::Pid;

/// Writes `pid` to the file that `--pid-file` names. It is complete or absent.
pub fn write(pid: Pid, file: &Path) -> Result<()> {
    let name = file.file_name().context("--pid-file: it has no name")?;
    let new = file.with_file_name(format!(".{}", name.to_string_lossy()));
    let mut options = File::options();
    // Neither a link nor a FIFO that somebody has put there.
    let opened = options.write(true).create_new(true).open(&new);
    opened
        .and_then(|mut opened| opened.write_all(pid.to_string().as_bytes()))
        .and_then(|()| fs::rename(&new, file))
        .with_context(|| format!("cannot write {}", file.display()))
}
