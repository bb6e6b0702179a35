//! `process`: credentials(7), setrlimit(2).

use std::collections::HashSet;

use anyhow::{Result, ensure};
use oci_spec::runtime::Process;

use crate::oci::process::{affinity, scheduling};

pub fn check(process: &Process) -> Result<()> {
    let arguments = process.args().as_deref().unwrap_or_default();
    ensure!(!arguments.is_empty(), "process.args must not be empty");
    let cwd = process.cwd();
    ensure!(
        cwd.is_absolute(),
        "process.cwd: {:?} is not an absolute path",
        cwd
    );
    let user = process.user();
    let groups = user.additional_gids().iter().flatten();
    let groups = groups.map(|gid| ("additionalGids", *gid));
    let ids = [("uid", user.uid()), ("gid", user.gid())];
    for (field, id) in ids.into_iter().chain(groups) {
        // For setresuid(2), this number means "as it is": root, that is.
        ensure!(id != u32::MAX, "process.user.{field}: there is no id {id}");
    }
    if let Some(mask) = user.umask() {
        ensure!(
            mask <= 0o777,
            "process.user.umask: {mask} is more than 511 (octal 777)"
        );
    }
    let texts = arguments.iter().chain(process.env().iter().flatten());
    for text in texts {
        ensure!(
            !text.contains('\0'),
            "process.args and process.env must not contain a NUL"
        );
    }
    for one in process.env().iter().flatten() {
        ensure!(one.contains('='), "process.env: {one:?} is not NAME=VALUE");
    }
    scheduling::check(process)?;
    affinity::check(process)?;
    let mut seen = HashSet::new();
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ().to_string();
        ensure!(
            seen.insert(name.clone()),
            "process.rlimits: {name} is there twice"
        );
    }
    Ok(())
}
