//! `spec`: a config.json to begin with. It runs sh in a root filesystem that is in rootfs/.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Options {
    /// The bundle's directory
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    bundle: PathBuf,
}

// ANCHOR: write
pub fn write(options: &Options) -> Result<u8> {
    let path = options.bundle.join("config.json");
    let cannot = || format!("cannot create {}", path.display());
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => anyhow!("it exists already\nhint: remove it first"),
            _ => error.into(),
        })
        .with_context(cannot)?;
    let config = root();
    let text = serde_json::to_string_pretty(&config)? + "\n";
    file.write_all(text.as_bytes()).with_context(cannot)?;
    Ok(0)
}
// ANCHOR_END: write

// ANCHOR: root
fn root() -> Value {
    json!({
        "ociVersion": crate::oci::VERSION,
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM=xterm",
            ],
            "cwd": "/",
        },
        "root": {"path": "rootfs"},
    })
}
// ANCHOR_END: root
