//! `tiny-runc`: the same program by another name. It speaks the command line of an OCI runtime, as runc does, so podman,
//! Docker and containerd can run their containers with it: <https://github.com/opencontainers/runtime-spec>.

pub mod cli;
pub mod log;
pub mod spec;

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
    cli::main()
}
