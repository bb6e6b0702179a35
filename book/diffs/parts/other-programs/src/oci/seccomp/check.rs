//! What can be wrong with a profile. `create` asks before it makes anything.

use anyhow::{Result, bail, ensure};
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

use crate::oci::seccomp::program;

/// A system call has six arguments.
const ARGUMENTS: usize = 6;

/// MAX_ERRNO in the kernel. Larger numbers would not arrive as errors.
const LARGEST_ERROR: u32 = 4095;

// ANCHOR: check
/// Refuses a profile that cannot be loaded, or that would not do what it says.
///
/// # Errors
///
/// Each names the field in config.json.
pub fn check(profile: &LinuxSeccomp) -> Result<()> {
    let default = profile.default_action();
    let notify = LinuxSeccompAction::ScmpActNotify;
    let mut calls = profile.syscalls().iter().flatten();
    let notifies = default == notify || calls.any(|call| call.action() == notify);
    ensure!(!notifies, "linux.seccomp: SCMP_ACT_NOTIFY is not supported");
    let errno = profile.default_errno_ret();
    check_errno("linux.seccomp.defaultErrnoRet", default, errno)?;
    for (index, call) in profile.syscalls().iter().flatten().enumerate() {
        check_call(&format!("linux.seccomp.syscalls[{index}]"), call)?;
    }
    program::assemble(profile).map(drop)
}
// ANCHOR_END: check

/// `field` is its name in config.json.
fn check_call(field: &str, call: &LinuxSyscall) -> Result<()> {
    ensure!(
        !call.names().is_empty(),
        "{field}.names: there must be at least one"
    );
    for (index, name) in call.names().iter().enumerate() {
        ensure!(
            !name.is_empty(),
            "{field}.names[{index}]: a name cannot be empty"
        );
    }
    check_errno(
        &format!("{field}.errnoRet"),
        call.action(),
        call.errno_ret(),
    )?;
    for (index, argument) in call.args().iter().flatten().enumerate() {
        let number = argument.index();
        ensure!(
            number < ARGUMENTS,
            "{field}.args[{index}].index: {number} is too large: a system call has {ARGUMENTS} \
             arguments"
        );
    }
    Ok(())
}

// ANCHOR: check_errno
/// config-linux.md: "When the action doesn't support an errno, the runtime MUST print an error and fail".
fn check_errno(field: &str, action: LinuxSeccompAction, errno: Option<u32>) -> Result<()> {
    let largest = match (action, errno) {
        (_, None) => return Ok(()),
        (LinuxSeccompAction::ScmpActErrno, _) => LARGEST_ERROR,
        // It is a message for the tracer, which can be any number that fits.
        (LinuxSeccompAction::ScmpActTrace, _) => libc::SECCOMP_RET_DATA,
        _ => bail!("{field}: {action} does not return an error"),
    };
    ensure!(
        errno <= Some(largest),
        "{field}: the largest number for {action} is {largest}"
    );
    Ok(())
}
// ANCHOR_END: check_errno
