//! A bundle: a directory with config.json, and mostly with the root filesystem that it names. bundle.md of the OCI
//! runtime specification.
//!
//! Whoever calls us has written config.json. We check what can be checked before there is a container, so that each
//! error names its field.

pub mod check;
mod parse;
mod undone;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use oci_spec::runtime::Spec;
use serde_json::Value;

/// In bytes: a configuration with a thousand mounts has a tenth of it.
const MOST: u64 = 16 << 20;

pub struct Bundle {
    pub rootfs: PathBuf,
    pub spec: Spec,
}

impl Bundle {
    // ANCHOR: open
    /// Reads and checks the configuration of the bundle in `directory`.
    pub fn open(directory: &Path) -> Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("cannot open the bundle {}", directory.display()))?;
        let config = directory.join("config.json");
        let mut value = read(&config)?;
        undone::refuse(&value).with_context(|| config.display().to_string())?;
        add_user(value.pointer_mut("/process"));
        let spec: Spec = parse::parse(&value, &config)?;
        parse::refuse_arrays(&value, &serde_json::to_value(&spec)?, "")
            .with_context(|| config.display().to_string())?;
        check::spec(&spec).with_context(|| config.display().to_string())?;
        let root = spec.root().as_ref().context("root is missing")?;
        ensure!(
            !root.path().as_os_str().is_empty(),
            "root.path must not be empty"
        );
        let rootfs = directory.join(root.path());
        let rootfs = rootfs
            .canonicalize()
            .with_context(|| format!("root.path: cannot open {}", rootfs.display()))?;
        ensure!(
            rootfs.is_dir(),
            "root.path: {} is not a directory",
            rootfs.display()
        );
        Ok(Self { rootfs, spec })
    }
    // ANCHOR_END: open
}

// ANCHOR: read
/// What is in a JSON `file`. It must be a regular file, since nobody should have to wait for a FIFO.
pub fn read(file: &Path) -> Result<Value> {
    let is_file = file.metadata().map(|found| found.is_file());
    ensure!(
        is_file.with_context(|| format!("cannot read {}", file.display()))?,
        "cannot read {}: it is not a regular file",
        file.display()
    );
    read_any(file)
}
// ANCHOR_END: read

/// The same, for a file that the caller may have made a pipe, as with `--process <(…)`.
pub fn read_any(file: &Path) -> Result<Value> {
    let cannot = || format!("cannot read {}", file.display());
    let opened = File::open(file).with_context(cannot)?;
    let mut text = Vec::new();
    opened
        .take(MOST + 1)
        .read_to_end(&mut text)
        .with_context(cannot)?;
    ensure!(
        text.len() as u64 <= MOST,
        "{}: it has more than {MOST} bytes",
        cannot()
    );
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// By default, a process is root's.
fn add_user(process: Option<&mut Value>) {
    if let Some(Value::Object(process)) = process
        && process.get("user").is_none_or(Value::is_null)
    {
        let root = serde_json::json!({"uid": 0, "gid": 0});
        process.insert("user".to_owned(), root);
    }
}
