//! A bundle: a directory with config.json, and mostly with the root filesystem that it names. bundle.md of the OCI
//! runtime specification.
//!
//! Whoever calls us has written config.json. We check what can be checked before there is a container, so that each
//! error names its field.

pub mod check;
pub mod fields;
mod parse;
mod undone;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use oci_spec::runtime::{MemoryPolicyFlagType, MemoryPolicyModeType, Process, Spec};
use serde::Deserialize;
use serde_json::Value;

use crate::oci::bundle::fields::{ProcessFields, SpecFields};
use crate::oci::cgroup::update::json;
use crate::oci::log::warn;
use crate::oci::process::affinity;
use crate::oci::seccomp::names;

/// In bytes: a configuration with a thousand mounts has a tenth of it.
const MOST: u64 = 16 << 20;

pub struct Bundle {
    pub directory: PathBuf,
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
        forget_unknown_capabilities(&mut value, "/process/capabilities");
        add_user(value.pointer_mut("/process"));
        if let Some(resources) = value.pointer_mut("/linux/resources") {
            json::canonical(resources);
        }
        if let Some(profile) = value.pointer("/linux/seccomp")
            && let Some(unknown) = names::unknown_word("linux.seccomp", profile)
        {
            bail!("{unknown}");
        }
        respell_flags(value.pointer_mut("/process/scheduler/flags"));
        check_memory_policy(&value)?;
        let spec = Spec::from(parse::parse::<SpecFields>(&value, &config)?);
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
        Ok(Self {
            directory,
            rootfs,
            spec,
        })
    }
    // ANCHOR_END: open
}

/// The process that `exec --process` describes.
pub fn process(file: &Path) -> Result<Process> {
    let mut value = read_any(file)?;
    add_user(Some(&mut value));
    respell_flags(value.pointer_mut("/scheduler/flags"));
    forget_unknown_capabilities(&mut value, "/capabilities");
    let process = Process::from(parse::parse::<ProcessFields>(&value, file)?);
    check::process::check(&process).with_context(|| file.display().to_string())?;
    Ok(process)
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

/// The crate could only say in which line a word is wrong. These words are runc's.
fn check_memory_policy(config: &Value) -> Result<()> {
    let policy = config.pointer("/linux/memoryPolicy");
    let Some(policy) = policy.filter(|policy| !policy.is_null()) else {
        return Ok(());
    };
    let mode = policy.get("mode").unwrap_or(&Value::Null);
    ensure!(
        MemoryPolicyModeType::deserialize(mode).is_ok(),
        "linux.memoryPolicy.mode: invalid memory policy mode {mode}"
    );
    let flags = policy.get("flags").and_then(Value::as_array);
    for flag in flags.into_iter().flatten() {
        ensure!(
            MemoryPolicyFlagType::deserialize(flag).is_ok(),
            "linux.memoryPolicy.flags: invalid memory policy flag {flag}"
        );
    }
    let nodes = policy
        .get("nodes")
        .and_then(Value::as_str)
        .unwrap_or_default();
    ensure!(
        nodes.is_empty() || affinity::parse(nodes).is_ok(),
        "linux.memoryPolicy.nodes: invalid memory policy node {nodes:?}"
    );
    Ok(())
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

/// The crate that reads the configuration has its own names for two flags of the specification.
fn respell_flags(flags: Option<&mut Value>) {
    let Some(Value::Array(flags)) = flags else {
        return;
    };
    for flag in flags {
        match flag.as_str() {
            Some("SCHED_FLAG_RESET_ON_FORK") => *flag = "SCHED_RESET_ON_FORK".into(),
            Some("SCHED_FLAG_DL_OVERRUN") => *flag = "SCHED_FLAG_D_L_OVERRUN".into(),
            _ => (),
        }
    }
}

/// A kernel may know capabilities that we do not. As in runc, they are left out, with a warning.
fn forget_unknown_capabilities(value: &mut Value, at: &str) {
    let Some(Value::Object(sets)) = value.pointer_mut(at) else {
        return;
    };
    for (_, set) in sets {
        let Value::Array(names) = set else { continue };
        names.retain(|name| {
            let known = name
                .as_str()
                .is_none_or(|name| name.parse::<caps::Capability>().is_ok());
            if !known {
                warn(&format!("capability {name} is not known here"));
            }
            known
        });
    }
}
