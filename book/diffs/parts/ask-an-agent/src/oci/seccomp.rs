//! `linux.seccomp` in config.json: which system calls a container's processes can make. seccomp(2), config-linux.md.
//!
//! [`check`](check::check) says before anything is made whether the profile can be loaded. The container's first
//! process calls [`load`] right before it becomes the command. If the profile leaves the decision on some calls to an
//! agent outside, [`listener`] brings the two together.

pub mod calls;
pub mod check;
mod compare;
pub mod listener;
pub mod names;
mod program;
mod rules;

use std::os::fd::{FromRawFd, OwnedFd};

use anyhow::{Result, anyhow};
use libc::{SECCOMP_FILTER_FLAG_NEW_LISTENER, c_int, c_ulong, sock_filter};
use nix::errno::Errno;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag};

// ANCHOR: load
/// From now on, filters the system calls of this thread and of all its descendants, until they end.
///
/// Returns the listener if an action is SCMP_ACT_NOTIFY. It is close-on-exec.
///
/// # Errors
///
/// Fails if the kernel does not accept the filter. Without CAP_SYS_ADMIN, it wants no_new_privs first.
pub fn load(profile: &LinuxSeccomp) -> Result<Option<OwnedFd>> {
    let filter = program::assemble(profile)?;
    let flags = flags(profile);
    let answer = install(&filter, flags).map_err(|error| {
        let hint = match error {
            Errno::EACCES => "\nhint: set process.noNewPrivileges to true, or add CAP_SYS_ADMIN",
            _ => "",
        };
        anyhow!("linux.seccomp: cannot load the filter: {error}{hint}")
    })?;
    // SAFETY: with this flag, the answer is a new descriptor, which nobody else has.
    let listener = || unsafe { OwnedFd::from_raw_fd(answer) };
    Ok((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER != 0).then(listener))
}

/// The flags for seccomp(2) that [`load`] uses.
///
/// A profile without `flags` (not even an empty list) gets SPEC_ALLOW, as with runc: the mitigation that it switches
/// off makes programs slower. Since Linux 5.16, the kernel itself no longer switches it on for each filter.
pub fn flags(profile: &LinuxSeccomp) -> c_ulong {
    let usual = LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow;
    let chosen = match profile.flags() {
        Some(flags) => flags.iter().fold(0, |all, flag| all | names::value(*flag)),
        None if names::is_supported(usual) => names::value(usual),
        None => 0,
    };
    match notifies(profile) {
        true => chosen | SECCOMP_FILTER_FLAG_NEW_LISTENER,
        false => chosen,
    }
}

/// Whether some system calls are for an agent to decide: seccomp_unotify(2).
pub fn notifies(profile: &LinuxSeccomp) -> bool {
    let mut calls = profile.syscalls().iter().flatten();
    calls.any(|call| call.action() == LinuxSeccompAction::ScmpActNotify)
}
// ANCHOR_END: load

/// Returns a descriptor if there is a listener, and 0 if not.
fn install(filter: &[sock_filter], flags: c_ulong) -> nix::Result<c_int> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    let (call, operation) = (libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: seccomp(2) reads the program, which is as long as it says.
    let answer = unsafe { libc::syscall(call, operation, flags, &program) };
    Errno::result(answer).map(|answer| answer as c_int)
}

#[cfg(test)]
mod tests;
