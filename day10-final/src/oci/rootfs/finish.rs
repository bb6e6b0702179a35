//! The last changes to the container's files, when nothing has to be written any more: sysctls, masks and what is
//! read-only.

use std::collections::HashSet;
use std::io::Write;

use anyhow::{Context, Result};
use nix::fcntl::{OFlag, open};
use nix::mount::MsFlags;
use nix::sys::stat::Mode;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};

use crate::oci::bundle::check::sysctl;
use crate::oci::namespaces::wanted;
use crate::oci::procfs;
use crate::oci::rootfs::Entered;
use crate::oci::rootfs::attributes::{self, Change};
use crate::rootfs::{masks, mounts};

// ANCHOR: finish
/// Makes them, in the container, which is complete otherwise.
pub fn finish(spec: &Spec, entered: Entered) -> Result<()> {
    let linux = spec.linux().as_ref();
    let sysctl = linux.and_then(|linux| linux.sysctl().as_ref());
    for (name, value) in sysctl.into_iter().flatten() {
        set_sysctl(name, value)
            .with_context(|| format!("linux.sysctl: cannot set {name} to {value:?}"))?;
    }
    if wanted(spec, Kind::Mount).is_none() {
        return Ok(());
    }
    for tree in entered.read_only {
        Change::set(attributes::RDONLY)
            .apply(tree)
            .context("cannot make a mount read-only")?;
    }
    let paths = linux.and_then(|linux| linux.readonly_paths().as_ref());
    for path in paths.into_iter().flatten() {
        masks::make_read_only(path)
            .with_context(|| format!("linux.readonlyPaths: cannot make {path} read-only"))?;
    }
    let (mut empty, mut done) = (None, HashSet::new());
    let paths = linux.and_then(|linux| linux.masked_paths().as_ref());
    for path in paths
        .into_iter()
        .flatten()
        .filter(|path| done.insert(*path))
    {
        let null = entered.nodes.null()?;
        masks::hide(path, null, &mut empty)
            .with_context(|| format!("linux.maskedPaths: cannot hide {path}"))?;
    }
    let root = spec.root().as_ref();
    if root.is_some_and(|root| root.readonly() == Some(true)) {
        let root = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        mounts::restrict(root, MsFlags::MS_RDONLY).context("cannot make / read-only")?;
    }
    Ok(())
}

/// Sets `name` (net.ipv4.ip_forward, or with slashes) in /proc/sys.
fn set_sysctl(name: &str, value: &str) -> Result<()> {
    let path = sysctl::path(name);
    let mut file = procfs::open(&format!("sys/{path}"), OFlag::O_WRONLY)?;
    Ok(file.write_all(value.as_bytes())?)
}
// ANCHOR_END: finish
