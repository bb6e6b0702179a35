//! `tiny-runc`: the same program by another name. It speaks the command line of an OCI runtime, as runc does, so podman,
//! Docker and containerd can run their containers with it: <https://github.com/opencontainers/runtime-spec>.
//!
//! [`create`] is the host's side of a container, as [`crate::parent`] is that of `run`; [`init`] is the container's side,
//! as [`crate::child`] is. What the days have built does the work: [`crate::namespaces`], [`crate::rootfs`],
//! [`crate::privileges`].

pub mod bundle;
pub mod cgroup;
pub mod channel;
pub mod cli;
pub mod commands;
pub mod console;
pub mod container;
pub mod create;
pub mod exec;
pub mod follow;
pub mod hooks;
pub mod init;
pub mod lifecycle;
pub mod log;
pub mod namespaces;
pub mod pid;
pub mod process;
pub mod procfs;
pub mod rootfs;
pub mod rootless;
pub mod seccomp;
pub mod spawn;
pub mod spec;
pub mod store;

use std::env;
use std::path::Path;
use std::process::ExitCode;

/// The version of the specification that we follow.
pub const VERSION: &str = "1.2.1";

/// Whether the program was called by this other name.
pub fn is_called() -> bool {
    let name = env::args_os().next().unwrap_or_default();
    Path::new(&name)
        .file_name()
        .is_some_and(|name| name == "tiny-runc")
}

pub fn main() -> ExitCode {
    let role = env::args_os().nth(1);
    match role.as_ref().and_then(|role| role.to_str()) {
        // As for `run`: this is the container's side, started by `spawn`.
        Some("init") => init::main(),
        _ => cli::main(),
    }
}
