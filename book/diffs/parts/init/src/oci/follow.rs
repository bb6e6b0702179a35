//! What the runtime does while `tiny-runc init` works: it answers, and does what only the host can.

use anyhow::{Result, bail};

use crate::oci::channel::{Channel, News};

// ANCHOR: until_ready
/// Until the process is ready, except for its exec. Returns false if it has ended without a word.
pub fn until_ready(channel: &mut Channel) -> Result<bool> {
    match channel.receive()? {
        Some(News::Ready) => channel.go_on().map(|()| true),
        Some(News::Failed(reason)) => bail!("{reason}"),
        None => Ok(false),
    }
}
// ANCHOR_END: until_ready
