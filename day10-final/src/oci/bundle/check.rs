//! What a configuration must not say. Nothing of this needs a container.

pub mod hooks;
pub mod namespaces;
pub mod process;
pub mod sysctl;

use anyhow::{Result, ensure};
use oci_spec::runtime::{Linux, LinuxDeviceCgroup, LinuxNamespaceType as Kind, Spec};

use crate::oci::namespaces::wanted;
use crate::oci::seccomp::check as seccomp;

pub fn spec(spec: &Spec) -> Result<()> {
    version(spec.version())?;
    if let Some(process) = spec.process() {
        process::check(process)?;
    }
    let own = |kind| wanted(spec, kind).is_some();
    let names = [
        ("hostname", spec.hostname()),
        ("domainname", spec.domainname()),
    ];
    for (field, name) in names {
        let name = name.as_deref().unwrap_or_default();
        ensure!(
            name.is_empty() || own(Kind::Uts),
            "{field}: it needs a uts namespace"
        );
        ensure!(!name.contains('\0'), "{field} must not contain a NUL");
    }
    for (n, mount) in spec.mounts().iter().flatten().enumerate() {
        let destination = mount.destination();
        ensure!(
            !destination.as_os_str().is_empty(),
            "mounts[{n}].destination is missing"
        );
    }
    hooks::check(spec)?;
    // The crate's default has namespaces and masks that nobody has asked for.
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    let masked = linux.masked_paths().iter().flatten();
    let masked = masked.map(|path| ("linux.maskedPaths", path));
    let read_only = linux.readonly_paths().iter().flatten();
    for (field, path) in masked.chain(read_only.map(|path| ("linux.readonlyPaths", path))) {
        ensure!(own(Kind::Mount), "{field}: it needs a mount namespace");
        // As in runc, a relative one begins at the root.
        let is_path = !path.is_empty() && !path.contains('\0');
        ensure!(is_path, "{field}: {path:?} is not a path");
    }
    for (n, device) in devices(linux).enumerate() {
        let access = device.access().as_deref().unwrap_or_default();
        // Other letters beside these are ignored, as in runc, whose tests have such rules.
        ensure!(
            access.is_empty() || access.contains(['r', 'w', 'm']),
            "linux.resources.devices[{n}].access: {access:?} has none of r, w and m"
        );
    }
    namespaces::check(spec, linux)?;
    sysctl::check(spec, linux)?;
    if let Some(seccomp) = linux.seccomp() {
        seccomp::check(seccomp)?;
    }
    Ok(())
}

/// We follow the versions 1.x.
fn version(version: &str) -> Result<()> {
    let major = version.split('.').next().unwrap_or_default();
    let known = version.is_empty() || major == "1" && version.contains('.');
    ensure!(known, "ociVersion: {version:?} is not 1.x.y");
    Ok(())
}

fn devices(linux: &Linux) -> impl Iterator<Item = &LinuxDeviceCgroup> {
    let resources = linux.resources().as_ref();
    let devices = resources.and_then(|resources| resources.devices().as_ref());
    devices.into_iter().flatten()
}
