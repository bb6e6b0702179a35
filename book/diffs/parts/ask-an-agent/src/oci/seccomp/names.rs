//! The words that a profile can contain.

use std::ffi::c_uint;
use std::ptr;

use libc::{
    SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, SECCOMP_SET_MODE_FILTER, SYS_seccomp, c_ulong,
};
use nix::errno::Errno;
use oci_spec::runtime::{Arch, LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSeccompOperator};
use serde_json::Value;

use LinuxSeccompFilterFlag::*;

/// What seccomp(2) calls this flag.
///
/// TSYNC makes all threads of a process load the filter. The one that loads it here has a single thread. So nothing is
/// left to do, and it is as if the flag were not there.
pub fn value(flag: LinuxSeccompFilterFlag) -> c_ulong {
    match flag {
        SeccompFilterFlagTsync => 0,
        SeccompFilterFlagLog => SECCOMP_FILTER_FLAG_LOG,
        SeccompFilterFlagSpecAllow => SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        SeccompFilterFlagWaitKillableRecv => SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    }
}

// ANCHOR: is_supported
/// Whether this kernel knows the flag.
pub fn is_supported(flag: LinuxSeccompFilterFlag) -> bool {
    let mut value = value(flag);
    if flag == SeccompFilterFlagWaitKillableRecv {
        // It has no meaning, and is refused, without a listener.
        value |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    }
    let (operation, value) = (SECCOMP_SET_MODE_FILTER, value as c_uint);
    let nowhere = ptr::null::<libc::sock_fprog>();
    // SAFETY: seccomp(2) cannot read a filter here, so nothing changes.
    let answer = unsafe { libc::syscall(SYS_seccomp, operation, value, nowhere) };
    // The kernel looks at the flags first. If it did not like them, the error would be EINVAL.
    Errno::result(answer) == Err(Errno::EFAULT)
}
// ANCHOR_END: is_supported

/// In a profile as it is in the file: the first word that is not one of these, and which field it is in.
///
/// For such a word, the JSON reader can only say in which line and column it is. `field` is where the `value` is: to
/// begin with, `linux.seccomp`.
pub fn unknown_word(field: &str, value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.find_map(|(name, value)| unknown_word(&format!("{field}.{name}"), value))
        }
        Value::Array(list) => {
            let mut list = list.iter().enumerate();
            list.find_map(|(index, value)| unknown_word(&format!("{field}[{index}]"), value))
        }
        Value::String(word) => {
            let name = field.rsplit('.').next().unwrap_or_default();
            let is_known = match name.split('[').next().unwrap_or_default() {
                "defaultAction" | "action" => word.parse::<LinuxSeccompAction>().is_ok(),
                "op" => word.parse::<LinuxSeccompOperator>().is_ok(),
                "architectures" => word.parse::<Arch>().is_ok(),
                "flags" => word.parse::<LinuxSeccompFilterFlag>().is_ok(),
                _ => true,
            };
            (!is_known).then(|| format!("{field}: unknown word {word:?}"))
        }
        _ => None,
    }
}
