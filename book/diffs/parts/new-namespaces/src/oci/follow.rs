//! What the runtime does while `tiny-runc init` works: it answers, and does what only the host can.

use anyhow::{Result, bail, ensure};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::oci::channel::{Channel, News};

// ANCHOR: first_process
/// Until there is a first process: waits for its pid. None if the process that starts it has ended without a word.
pub fn first_process(channel: &mut Channel, stage: Pid) -> Result<Option<Pid>> {
    match channel.receive()? {
        Some(News::Started(pid)) => {
            // In a container that may trace it, somebody else may speak in its place.
            let first = Id::Pid(Pid::from_raw(pid));
            let look = WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::WEXITED;
            let is_ours = pid > 0 && pid != stage.as_raw() && waitid(first, look).is_ok();
            ensure!(is_ours, "init has reported a process that is not ours");
            Ok(Some(Pid::from_raw(pid)))
        }
        Some(News::Failed(reason)) => bail!("{reason}"),
        Some(_) => bail!("init has reported something unexpected"),
        None => Ok(None),
    }
}
// ANCHOR_END: first_process

// ANCHOR: until_ready
/// Until the process is ready, except for its exec. Returns false if it has ended without a word.
pub fn until_ready(channel: &mut Channel) -> Result<bool> {
    match channel.receive()? {
        Some(News::Ready) => channel.go_on().map(|()| true),
        Some(News::Failed(reason)) => bail!("{reason}"),
        Some(_) => bail!("the process has reported something unexpected"),
        None => Ok(false),
    }
}
// ANCHOR_END: until_ready
