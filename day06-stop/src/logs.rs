//! `logs`: prints what a detached container has written. inotify(7), poll(2).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::signals;
use crate::state::pidfd::PidFd;
use crate::state::store;

/// Prints the log of the container that `id` means and, with `follow`, what comes until the container ends.
pub fn print(id: &str, follow: bool, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    show(id, follow, state).with_context(|| format!("cannot show the log of {id}"))?;
    Ok(0)
}

fn show(id: &str, follow: bool, state: &Path) -> Result<()> {
    let container = store::find(state, id)?;
    ensure!(
        container.log.is_some(),
        "it ran in the foreground, so its output was not recorded"
    );
    // The path comes from the id, as everywhere. What the record says about it does not matter.
    let path = &store::log(state, &container.id);
    let mut log = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    // It may write faster than anybody reads. Without `follow`, we stop where its log ends now.
    let length = log.metadata()?.len();
    match container.running()?.filter(|_| follow) {
        Some(process) => follow_to_the_end(&mut log, path, &process),
        None if follow => copy(&mut log, u64::MAX),
        None => copy(&mut log, length),
    }
}

/// Sleeps until the log grows, the container ends, or nobody reads any more.
fn follow_to_the_end(log: &mut File, path: &Path, container: &PidFd) -> Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK);
    let inotify = inotify.context("cannot watch it: inotify_init1")?;
    // Before the first look. Otherwise, what is written between the two would have to wait for the next line.
    let watch = inotify.add_watch(path, AddWatchFlags::IN_MODIFY);
    watch.context("cannot watch it: inotify_add_watch")?;
    let stdout = io::stdout();
    let mut watched = [
        PollFd::new(inotify.as_fd(), PollFlags::POLLIN),
        PollFd::new(container.as_fd(), PollFlags::POLLIN),
        // Asks for nothing, and still hears of an error: a pipe that has lost its reader.
        PollFd::new(stdout.as_fd(), PollFlags::empty()),
    ];
    let mut ended = false;
    loop {
        copy(log, u64::MAX)?;
        if ended {
            return Ok(());
        }
        poll(&mut watched, PollTimeout::NONE).context("cannot wait")?;
        let [modified, end, unread] = [0, 1, 2].map(|n: usize| watched[n].any().unwrap_or(true));
        if unread {
            return Ok(());
        }
        if modified {
            // The events say only that something is new, and we look at the log itself.
            let _ = inotify.read_events();
        }
        // All of the container's processes are gone, so one more look shows its last line.
        ended = end;
    }
}

/// Prints the rest of `log`, at most `length` bytes.
fn copy(log: &mut File, length: u64) -> Result<()> {
    io::copy(&mut log.take(length), &mut io::stdout())?;
    io::stdout().flush()?;
    Ok(())
}
