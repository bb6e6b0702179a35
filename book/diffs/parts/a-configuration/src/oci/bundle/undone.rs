//! What a configuration can ask for, and we do not do. Silence would mean that the container has what it was promised.

use anyhow::{Result, ensure};
use serde_json::Value;

/// The fields, as JSON pointers: RFC 6901.
const UNDONE: &[&str] = &[
    "/process/terminal",
    "/process/user/uid",
    "/process/user/gid",
    "/process/user/umask",
    "/process/user/additionalGids",
    "/process/capabilities",
    "/process/rlimits",
    "/process/noNewPrivileges",
    "/process/oomScoreAdj",
    "/process/apparmorProfile",
    "/process/selinuxLabel",
    "/process/scheduler",
    "/process/ioPriority",
    "/process/execCPUAffinity",
    "/root/readonly",
    "/hostname",
    "/domainname",
    "/mounts",
    "/hooks",
    "/linux/namespaces",
    "/linux/uidMappings",
    "/linux/gidMappings",
    "/linux/timeOffsets",
    "/linux/rootfsPropagation",
    "/linux/devices",
    "/linux/maskedPaths",
    "/linux/readonlyPaths",
    "/linux/sysctl",
    "/linux/memoryPolicy",
    "/linux/personality",
    "/linux/mountLabel",
    "/linux/cgroupsPath",
    "/linux/resources",
    "/linux/seccomp",
    "/linux/intelRdt",
    "/linux/netDevices",
];

// ANCHOR: refuse
/// Refuses a configuration that asks for any of it. An empty value asks for nothing.
pub fn refuse(config: &Value) -> Result<()> {
    for pointer in UNDONE {
        let asks = match config.pointer(pointer) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(Value::String(text)) => !text.is_empty(),
            Some(other) => *other != 0,
        };
        let field = pointer[1..].replace('/', ".");
        ensure!(!asks, "{field} is not supported");
    }
    Ok(())
}
// ANCHOR_END: refuse
