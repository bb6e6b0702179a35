//! One container's directory: its state, its lock and its gate. fifo(7), flock(2).

use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::oci::container::{Container, Status};
use crate::state::{lock, open_regular};

/// How long we wait for another command that is at work on the same container.
const LOCK_SECONDS: u64 = 10;

/// As of tiny-docker's records.
const LIMIT: u64 = 32 << 20;

/// The directory of one container. If it is locked, it stays so until this is dropped.
pub struct Entry {
    pub(super) directory: PathBuf,
    pub(super) lock: Option<File>,
}

impl Entry {
    pub(super) fn lock(directory: PathBuf) -> Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let opened = open(&directory, flags, Mode::empty());
        let opened =
            File::from(opened.with_context(|| format!("cannot open {}", directory.display()))?);
        lock::wait(&opened, &directory, File::try_lock, LOCK_SECONDS)?;
        Ok(Self {
            directory,
            lock: Some(opened),
        })
    }

    // ANCHOR: is_there
    /// Whether it is still the directory with this name. If it is not locked, that may change.
    pub(super) fn is_there(&self) -> bool {
        let locked = self.lock.as_ref().and_then(|lock| lock.metadata().ok());
        let found = fs::symlink_metadata(&self.directory).ok();
        let inode = |found: Metadata| (found.dev(), found.ino());
        found.is_some() && found.map(inode) == locked.map(inode)
    }
    // ANCHOR_END: is_there

    // ANCHOR: gate
    /// The file that `start` opens.
    pub fn gate(&self) -> PathBuf {
        self.directory.join("exec.fifo")
    }

    /// Creates the gate, and opens the end at which the container waits. (As it can also write there, it never sees the
    /// end of it.)
    pub fn make_gate(&self) -> Result<OwnedFd> {
        let cannot = "cannot create exec.fifo";
        mkfifo(&self.gate(), Mode::from_bits_truncate(0o600)).context(cannot)?;
        open(
            &self.gate(),
            OFlag::O_RDWR | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .context(cannot)
    }
    // ANCHOR_END: gate

    // ANCHOR: open_gate
    /// Lets the container's command begin. If `wait`, returns when it has begun.
    pub fn open_gate(&self, wait: bool) -> Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let gate = match open(&self.gate(), flags, Mode::empty()) {
            Err(Errno::ENXIO) => bail!("its first process has ended"),
            gate => gate.context("cannot open exec.fifo")?,
        };
        let mut gate = File::from(gate);
        gate.write_all(&[0]).context("cannot write to exec.fifo")?;
        fs::remove_file(self.gate()).context("cannot remove exec.fifo")?;
        // Its other end has an error when nobody has it open any more: poll(2). The exec of the command closes it.
        let mut end = [PollFd::new(gate.as_fd(), PollFlags::empty())];
        while wait && end[0].any() != Some(true) {
            match poll(&mut end, PollTimeout::NONE) {
                Err(Errno::EINTR) => (),
                polled => drop(polled.context("cannot wait for the command")?),
            }
        }
        Ok(())
    }
    // ANCHOR_END: open_gate

    /// Whether there is a state, which may be damaged.
    pub fn has_state(&self) -> bool {
        fs::symlink_metadata(self.directory.join("state.json")).is_ok()
    }

    pub fn read(&self) -> Result<Container> {
        let path = self.directory.join("state.json");
        let cannot = || format!("cannot read {}", path.display());
        let file = open_regular(&path, File::options().read(true)).with_context(cannot)?;
        let length = file.metadata().with_context(cannot)?.len();
        ensure!(length <= LIMIT, "{}: it is too long", cannot());
        serde_json::from_reader(std::io::BufReader::new(file)).with_context(cannot)
    }

    // ANCHOR: save
    pub fn save(&self, container: &Container) -> Result<()> {
        let (new, path) = (
            self.directory.join(".state.json"),
            self.directory.join("state.json"),
        );
        let save = || {
            let text = serde_json::to_vec(container)?;
            // The environment in it may have passwords.
            let mut options = File::options();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&new)?.write_all(&text)?;
            anyhow::Ok(fs::rename(&new, &path)?)
        };
        save().with_context(|| format!("cannot write {}", path.display()))
    }
    // ANCHOR_END: save

    pub fn status(&self, container: &Container) -> Result<Status> {
        container.status(&self.gate())
    }

    /// The container is gone.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.directory)
            .with_context(|| format!("cannot remove {}", self.directory.display()))
    }
}
