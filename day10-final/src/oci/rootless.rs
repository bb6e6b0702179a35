//! `--rootless`: whether cgroups are left out where they are not permitted.

use std::sync::OnceLock;

static ROOTLESS: OnceLock<bool> = OnceLock::new();

/// Once, when the command line has been read.
pub fn set(rootless: bool) {
    let _ = ROOTLESS.set(rootless);
}

pub fn get() -> bool {
    ROOTLESS.get() == Some(&true)
}
