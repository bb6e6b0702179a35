//! `export`: a container's filesystem as a tar archive: the image or the root filesystem, as changed by its layer.

pub mod entry;
pub mod sparse;
pub mod tree;
pub mod xattr;

use std::io::{BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};

use crate::container::Container;
use crate::failure::shown;
use crate::image::archive::BUFFER;
use crate::image::archive::output::Output;
use crate::namespaces::idmap::{self, is_rootless};
use crate::namespaces::make_mounts_private;
use crate::rootfs::layer;
use crate::state::store;

/// Writes the filesystem of the container that `id` means to stdout, or to the file `output`. What is mounted in it, such
/// as volumes, is not part of that.
pub fn export(id: &str, output: Option<&Path>, state: &Path) -> Result<u8> {
    let cannot = || format!("cannot export {}", shown(id));
    let container = store::find(state, id).with_context(cannot)?;
    let mut output = Output::new(output).with_context(cannot)?;
    // Its files may belong to any of its users.
    let code = idmap::inside(|| {
        write(&container, &mut output).with_context(cannot)?;
        Ok(0)
    })?;
    if code == 0 {
        // Whoever has removed the container has removed files that we had still to read.
        store::find(state, &container.id.to_string()).with_context(cannot)?;
        output.finish().with_context(cannot)?;
    }
    Ok(code)
}

fn write(container: &Container, output: &mut Output) -> Result<()> {
    let output = BufWriter::with_capacity(BUFFER, output);
    Ok(tree::write(view(container)?, output)?.flush()?)
}

// ANCHOR: view
/// Opens what the container sees as its /, without its mounts. The container itself keeps running: what it changes
/// meanwhile is in the archive, or is not.
fn view(container: &Container) -> Result<OwnedFd> {
    // Nobody else sees what we mount, and it goes away with us.
    unshare(CloneFlags::CLONE_NEWNS).context("cannot create a mount namespace")?;
    make_mounts_private()?;
    layer::look(&container.lower(), &container.layer, is_rootless())
}
// ANCHOR_END: view
