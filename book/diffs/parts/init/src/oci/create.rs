//! The host's side of a container.

pub mod options;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::oci::bundle::Bundle;
use crate::oci::channel::{Channel, Orders};
use crate::oci::create::options::Options;
use crate::oci::follow::until_ready;
use crate::oci::spawn::{self, Descriptors};

// ANCHOR: create
/// Starts the process that becomes the container's command. Returns when nothing but its exec is left to do.
pub fn create(options: &Options) -> Result<Pid> {
    let Bundle { rootfs, spec } = Bundle::open(&options.bundle)?;
    let (ours, theirs) = UnixStream::pair().context("cannot create a socket pair")?;
    let descriptors = Descriptors {
        socket: theirs.as_fd(),
    };
    let first = spawn::init(&descriptors)?;
    drop(theirs);
    let mut channel = Channel::new(ours);
    let ready = channel
        .order(&Orders { rootfs, spec })
        .and_then(|()| until_ready(&mut channel));
    match ready {
        Ok(true) => Ok(first),
        Ok(false) => Err(how_it_ended(first)),
        Err(error) => {
            let _ = kill(first, Signal::SIGKILL);
            let _ = waitpid(first, None);
            Err(error)
        }
    }
}
// ANCHOR_END: create

/// Of a process that has closed its socket without a word. It stays for whoever reaps it.
fn how_it_ended(process: Pid) -> anyhow::Error {
    let ended = waitid(
        Id::Pid(process),
        WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
    );
    let how = how(&ended);
    anyhow!("the container's process has ended without a word: {how}")
}

fn how(ended: &nix::Result<WaitStatus>) -> String {
    match ended {
        Ok(WaitStatus::Exited(_, code)) => format!("exit code {code}"),
        Ok(WaitStatus::Signaled(_, signal, _)) => signal.to_string(),
        Ok(_) => "nobody knows how".to_owned(),
        Err(errno) => errno.to_string(),
    }
}
