//! `run`: the whole life of a container, for the moment without a container.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use nix::unistd::{chdir, chroot};

use crate::oci::bundle::Bundle;
use crate::oci::process::command::Command;

#[derive(Args)]
pub struct Run {
    /// The bundle's directory
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    bundle: PathBuf,
}

// ANCHOR: run
/// Becomes the command that the bundle describes, in its root filesystem: day 3 once more.
pub fn run(options: &Run) -> Result<u8> {
    let bundle = Bundle::open(&options.bundle)?;
    let process = bundle.spec.process().as_ref();
    let process = process.context("process is missing")?;
    chroot(&bundle.rootfs).context("cannot change the root directory")?;
    chdir(process.cwd()).context("process.cwd")?;
    let command = Command::new(process)?;
    match command.exec(&command.find()?)? {}
}
// ANCHOR_END: run
