//! `logs`: prints what a detached container has written. inotify(7), poll(2).

pub mod tail;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::unistd::{Whence, lseek};

use crate::failure::shown;
use crate::logs::tail::Lines;
use crate::signals;
use crate::state::open_regular;
use crate::state::paths;
use crate::state::pidfd::PidFd;
use crate::state::store;

/// Prints the `tail` of the log of the container that `id` means and, with `follow`, what comes until the container
/// ends.
pub fn print(id: &str, follow: bool, tail: Lines, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    let printed = show(id, follow, tail, state);
    printed.with_context(|| format!("cannot show the log of {}", shown(id)))?;
    Ok(0)
}

fn show(id: &str, follow: bool, tail: Lines, state: &Path) -> Result<()> {
    let container = store::find(state, id)?;
    ensure!(
        container.log.is_some(),
        "it ran in the foreground, so its output was not recorded"
    );
    // Only with -t does its output pass through its `run`.
    let lock = open_regular(
        &paths::lock(state, &container.id),
        File::options().read(true),
    );
    let lock = lock.ok().filter(|_| container.tty);
    // The path comes from the id, as everywhere. What the record says about it does not matter.
    let path = &paths::log(state, &container.id);
    let mut log = open_regular(path, File::options().read(true))
        .map_err(leased)
        .with_context(|| format!("cannot open {}", path.display()))?;
    // It may write faster than anybody reads. Without `follow`, we stop where its log ends now.
    let length = log.metadata()?.len();
    tail.seek(&mut log, length)
        .context("cannot find its last lines")?;
    match container.running()?.filter(|_| follow) {
        Some(process) => follow_to_the_end(&mut log, path, &process, &lock),
        None if follow => copy_to_the_end(&mut log, &lock),
        None => copy(&mut log, length),
    }
}

/// A container may keep others from opening its log for 45 seconds. Then the kernel intervenes: F_SETLEASE, fcntl(2).
fn leased(error: Error) -> Error {
    let kind = error.downcast_ref().map(io::Error::kind);
    match kind == Some(ErrorKind::WouldBlock) {
        true => anyhow!("the container holds a lease on it\nhint: try again in a minute"),
        false => error,
    }
}

/// Sleeps until the log grows, the container ends, or nobody reads any more.
fn follow_to_the_end(
    log: &mut File,
    path: &Path,
    container: &PidFd,
    lock: &Option<File>,
) -> Result<()> {
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
    loop {
        copy(log, u64::MAX)?;
        match poll(&mut watched, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            polled => polled.context("cannot wait")?,
        };
        let [modified, end, unread] = [0, 1, 2].map(|n: usize| watched[n].any().unwrap_or(true));
        if unread {
            return Ok(());
        }
        if modified {
            // The events say only that something is new, and we look at the log itself.
            let _ = inotify.read_events();
        }
        if end {
            return copy_to_the_end(log, lock);
        }
    }
}

/// All of the container's processes are gone, so one more look shows its last line. With -t, that line passes through
/// the supervisor, which keeps the record locked until it has written it. (The log itself a container could lock
/// forever.)
fn copy_to_the_end(log: &mut File, lock: &Option<File>) -> Result<()> {
    lock.iter().for_each(store::ended);
    copy(log, u64::MAX)
}

/// Prints the rest of `log`, up to `end`.
fn copy(log: &mut File, end: u64) -> Result<()> {
    // A container that opens /dev/stdout again may have truncated its own log.
    if log.metadata()?.len() < log.stream_position()? {
        log.rewind()?;
    }
    // Not io::copy: its splice(2) moves one page after another, and takes longer than this.
    let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let data = next_data(log)?.min(end.saturating_sub(log.stream_position()?));
        let length = data.min(buffer.len() as u64);
        match log.read(&mut buffer[..length as usize])? {
            0 => return Ok(()),
            n => stdout.write_all(&buffer[..n])?,
        }
    }
}

/// Moves to the next data, and returns how much there is. A hole reads as zeros, and takes no space: a container may
/// give its log terabytes of them. lseek(2).
fn next_data(log: &mut File) -> Result<u64> {
    let (here, end) = (log.stream_position()?, log.metadata()?.len());
    let start = match lseek(&*log, here as i64, Whence::SeekData) {
        Err(Errno::ENXIO) => end.max(here),
        found => found.map_or(here, |start| start as u64),
    };
    let hole = lseek(&*log, start as i64, Whence::SeekHole).unwrap_or(end as i64) as u64;
    log.seek(SeekFrom::Start(start))?;
    Ok(hole.saturating_sub(start))
}
