//! Where `save` and `export` write an archive: stdout, or a file that has its name only when it is complete.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;

const TERMINAL: &str =
    "cannot write an archive to a terminal\nhint: redirect stdout, or use -o FILE";

pub struct Output {
    file: File,
    /// What it will be called, and what it is called meanwhile.
    names: Option<[PathBuf; 2]>,
    /// Whether it has no name at all yet: open(2), O_TMPFILE. Then nothing of it is left, even if we are killed.
    unnamed: bool,
}

impl Output {
    pub fn new(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            return Self::to(file);
        };
        let cannot = || format!("cannot write {}", path.display());
        match fs::metadata(path) {
            // A pipe or a device. (A directory is an error.)
            Ok(found) if !found.is_file() => Self::to(
                File::options()
                    .write(true)
                    .open(path)
                    .with_context(cannot)?,
            ),
            // Through a link, if it is one.
            Ok(_) => Self::in_place_of(path.canonicalize()?).with_context(cannot),
            Err(_) => Self::in_place_of(std::path::absolute(path)?).with_context(cannot),
        }
    }

    fn to(file: File) -> Result<Self> {
        ensure!(!file.is_terminal(), TERMINAL);
        Ok(Self {
            file,
            names: None,
            unnamed: false,
        })
    }

    // ANCHOR: in_place_of
    fn in_place_of(path: PathBuf) -> Result<Self> {
        let name = path.file_name().context("it is not the name of a file")?;
        let meanwhile = format!(".{}.{}", name.display(), process::id());
        let meanwhile = path.with_file_name(meanwhile);
        // An image may contain what is nobody else's business.
        let mut options = File::options();
        options.write(true).mode(0o600);
        let directory = path.parent().unwrap_or(Path::new("/"));
        let unnamed = options
            .clone()
            .custom_flags(libc::O_TMPFILE)
            .open(directory);
        let (file, unnamed) = match unnamed {
            Ok(file) => (file, true),
            // Some filesystems cannot do that.
            Err(_) => (options.create_new(true).open(&meanwhile)?, false),
        };
        let names = Some([path, meanwhile]);
        Ok(Self {
            file,
            names,
            unnamed,
        })
    }

    /// It is complete.
    pub fn finish(mut self) -> Result<()> {
        let Some([path, meanwhile]) = &self.names else {
            return Ok(());
        };
        let cannot = || format!("cannot write {}", path.display());
        if self.unnamed {
            let from = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            let follow = AtFlags::AT_SYMLINK_FOLLOW;
            linkat(AT_FDCWD, from.as_str(), AT_FDCWD, meanwhile, follow).with_context(cannot)?;
            self.unnamed = false;
        }
        fs::rename(meanwhile, path).with_context(cannot)?;
        self.names = None;
        Ok(())
    }
    // ANCHOR_END: in_place_of
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Otherwise, nobody would know whether it is about this file, or about one that is in the archive.
        let written = self.file.write(bytes);
        written.map_err(|error| io::Error::new(error.kind(), format!("cannot write it: {error}")))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some([_, meanwhile]) = self.names.as_ref().filter(|_| !self.unnamed) {
            let _ = fs::remove_file(meanwhile);
        }
    }
}
