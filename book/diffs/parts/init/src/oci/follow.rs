//! What the runtime does while `tiny-runc init` works: it answers, and does what only the host can.

use anyhow::{Result, bail};

use crate::oci::channel::{Channel, News};

// ANCHOR: until_ready
/// Until the command has begun. Returns false if its process has ended without a word.
pub fn until_ready(channel: &mut Channel) -> Result<bool> {
    let mut ready = false;
    loop {
        match channel.receive()? {
            Some(News::Ready) => {
                ready = true;
                channel.go_on()?;
            }
            Some(News::Failed(reason)) => bail!("{reason}"),
            // Its exec has closed the other end.
            None => return Ok(ready),
        }
    }
}
// ANCHOR_END: until_ready
