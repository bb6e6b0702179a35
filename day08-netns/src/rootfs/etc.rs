//! Mounts the container's own files in /etc, which [`network::etc`](crate::network::etc) wrote.

use std::fs::File;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use crate::network::etc::FILES;

/// Mounts the three files in the working directory over those in /etc.
///
/// It is called when the root has changed and the working directory has not. So a link in a hostile rootfs leads
/// nowhere but into that rootfs.
pub fn mount_over() -> Result<()> {
    for name in FILES {
        let place = format!("/etc/{name}");
        // There must be something to mount it over. Whatever is there already stays, and is not even opened: it may
        // be a FIFO.
        let _ = File::create_new(&place);
        let (nothing, bind) = (None::<&str>, MsFlags::MS_BIND);
        match mount(Some(name), &*place, nothing, bind, nothing) {
            // A rootfs without a place for it goes without the file.
            Err(Errno::ENOENT | Errno::ENOTDIR) => (),
            mounted => mounted.with_context(|| format!("cannot mount {place}"))?,
        }
    }
    Ok(())
}
