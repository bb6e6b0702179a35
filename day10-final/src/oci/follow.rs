//! What the runtime does while `tiny-runc init` works: it answers, and does what only the host can.

use std::os::fd::{AsFd, OwnedFd, RawFd};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use oci_spec::runtime::Spec;

use crate::oci::channel::{Channel, News};
use crate::oci::container::{Container, Status};
use crate::oci::process::scheduling;
use crate::oci::{log, pid, seccomp};

// ANCHOR: first_process
/// Until there is a first process: waits for its pid. The process that starts it may need `help` with a new container's
/// user namespace, cgroups or network: the answer is for the last of these. None if it has ended without a word.
pub fn first_process(
    channel: &mut Channel,
    stage: Pid,
    mut help: impl FnMut(News) -> Result<Option<RawFd>>,
) -> Result<Option<Pid>> {
    // --debug reports these moments in runc's words, because those are what people search a log for.
    log::debug(&format!("nsexec container setup: pid {stage}"));
    loop {
        match channel.receive()? {
            Some(news @ (News::IdsWanted | News::GroupGone | News::NetworkWanted)) => {
                channel.order(&help(news)?)?;
            }
            Some(News::Started(pid)) => {
                // In a container that may trace it, somebody else may speak in its place.
                let first = Id::Pid(Pid::from_raw(pid));
                let look = WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::WEXITED;
                let is_ours = pid > 0 && pid != stage.as_raw() && waitid(first, look).is_ok();
                ensure!(is_ours, "init has reported a process that is not ours");
                log::debug(&format!("child process in init(): pid {pid}"));
                return Ok(Some(Pid::from_raw(pid)));
            }
            Some(News::Failed(reason)) => bail!("{reason}"),
            Some(_) => bail!("init has reported something unexpected"),
            None => return Ok(None),
        }
    }
}
// ANCHOR_END: first_process

/// How much it may report besides, in messages and in characters. In a container that may trace it, somebody else may
/// speak in its place.
const MOST_NOTES: usize = 100;
const LONGEST_NOTE: usize = 1000;

// ANCHOR: until_ready
/// Until the process is what `spec` says, except for its exec. `mounted` runs the hooks that come after the mounts.
///
/// Returns false if it has ended without a word.
pub fn until_ready(
    channel: &mut Channel,
    first: Pid,
    container: &Container,
    spec: &Spec,
    mounted: impl Fn() -> Result<()>,
) -> Result<bool> {
    let mut notes = 0..MOST_NOTES;
    loop {
        match channel.receive()? {
            Some(News::Mounted) => mounted()?,
            Some(News::Listening(fd)) => {
                listen(container, spec, first.as_raw(), pid::take_from(first, fd)?)?;
            }
            Some(News::Limits) => {
                if let Some(process) = spec.process() {
                    scheduling::limit(first, process)?;
                }
            }
            Some(News::Ready) => {
                log::debug(match first.as_raw() == container.process.pid {
                    true => "init: closing the pipe to signal completion",
                    false => "setns_init: about to exec",
                });
                return channel.go_on().map(|()| true);
            }
            // It does not wait after these.
            Some(News::Warned(text)) if notes.next().is_some() => {
                log::warn(shortened(&text));
                continue;
            }
            Some(News::Noted(text)) if notes.next().is_some() => {
                log::debug(shortened(&text));
                continue;
            }
            Some(News::Failed(reason)) => bail!("{reason}"),
            Some(_) => bail!("the process has reported something unexpected"),
            None => return Ok(false),
        }
        channel.go_on()?;
    }
}
// ANCHOR_END: until_ready

fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST_NOTE);
    end.map_or(text, |(end, _)| &text[..end])
}

// ANCHOR: listen
/// Hands the seccomp `listener` over to the program that answers.
fn listen(container: &Container, spec: &Spec, pid: i32, listener: OwnedFd) -> Result<()> {
    let profile = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.seccomp().as_ref());
    let profile = profile.context("there is no seccomp profile")?;
    let state = serde_json::to_value(container.state(Status::Creating))?;
    let state = serde_json::from_value(state)?;
    seccomp::listener::send(profile, listener.as_fd(), pid, state)
}
// ANCHOR_END: listen

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;
    use crate::oci::cgroup::Groups;
    use crate::state::process::Process;

    #[test]
    fn a_flood_of_notes_is_an_error() {
        let container = Container {
            id: String::new(),
            bundle: "/".into(),
            rootfs: "/".into(),
            created: String::new(),
            owner: 0,
            process: Process::of(Pid::this()).unwrap(),
            groups: Groups::default(),
            new_keyring: false,
            spec: Spec::default(),
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        let long = "…".repeat(2 * LONGEST_NOTE);
        assert_eq!(shortened(&long).chars().count(), LONGEST_NOTE);
        assert_eq!(shortened("short"), "short");
        let flood = thread::spawn(move || {
            let theirs = Channel::new(theirs);
            (0..=MOST_NOTES).for_each(|_| drop(theirs.send(&News::Noted(long.clone()))));
        });
        let mut channel = Channel::new(ours);
        let followed = until_ready(
            &mut channel,
            Pid::this(),
            &container,
            &container.spec,
            || Ok(()),
        );
        assert!(followed.is_err());
        flood.join().unwrap();
    }
}
