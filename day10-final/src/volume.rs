//! What a container has beside its root filesystem: `-v`, `--tmpfs`, `--read-only`.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use nix::mount::MsFlags;
use serde::{Deserialize, Serialize};

use crate::mounts::{DATA, bind, mount_new, place_for, restrict_all};

// ANCHOR: volumes
#[derive(Args, Clone, Default, Serialize, Deserialize)]
pub struct Volumes {
    /// Let it see a directory or file of the host's, with :ro only to read
    #[arg(short, long = "volume", value_name = "HOST:CONTAINER[:ro]")]
    pub volumes: Vec<Volume>,
    /// Give it an empty directory in memory
    #[arg(long, value_name = "PATH", value_parser = inside)]
    pub tmpfs: Vec<PathBuf>,
    /// Let it write nowhere else
    #[arg(long)]
    pub read_only: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Volume {
    pub host: PathBuf,
    pub container: PathBuf,
    pub read_only: bool,
}
// ANCHOR_END: volumes

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(':').collect();
        let (host, container, read_only) = match parts[..] {
            [host, container] | [host, container, "rw"] => (host, container, false),
            [host, container, "ro"] => (host, container, true),
            _ => return Err("it has to be HOST:CONTAINER, or HOST:CONTAINER:ro".to_owned()),
        };
        if !host.contains('/') && host != "." {
            return Err(format!(
                "there are no named volumes; for a directory, ./{host}"
            ));
        }
        let host = std::path::absolute(host).map_err(|error| error.to_string())?;
        let container = inside(container)?;
        Ok(Self {
            host,
            container,
            read_only,
        })
    }
}

/// A place in the container. Some are taken: what is mounted there would be covered.
fn inside(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    let up = path.components().any(|part| part == Component::ParentDir);
    if !path.is_absolute() || up || path == Path::new("/") {
        return Err("in the container, it has to be an absolute path, and not /".to_owned());
    }
    match ["/proc", "/sys"]
        .iter()
        .find(|taken| path.starts_with(taken))
    {
        Some(taken) => Err(format!("{taken} is the container's own")),
        None => Ok(path),
    }
}

impl Volumes {
    /// As Docker does it: what the host does not have yet is an empty directory.
    ///
    /// The host's links are followed here: later, those to absolute paths would lead into the container.
    pub fn prepare(&mut self) -> Result<()> {
        for Volume { host, .. } in &mut self.volumes {
            let cannot = format!("cannot create {}", host.display());
            if !host.exists() {
                fs::create_dir_all(&host).context(cannot.clone())?;
            }
            *host = host.canonicalize().context(cannot)?;
        }
        Ok(())
    }

    // ANCHOR: mount
    /// Mounts all, those below others after these. The working directory is the host's /, see
    /// [`crate::rootfs::enter`].
    pub fn mount(&self) -> Result<()> {
        let tmpfs = self.tmpfs.iter().map(|path| (path, None));
        let volumes = self
            .volumes
            .iter()
            .map(|volume| (&volume.container, Some(volume)));
        let mut all: Vec<_> = tmpfs.chain(volumes).collect();
        all.sort_by_key(|(path, _)| path.components().count());
        for (path, volume) in all {
            let mounted = match volume {
                Some(volume) => volume.mount(),
                None => mount_tmpfs(path),
            };
            mounted.with_context(|| format!("cannot mount {}", path.display()))?;
        }
        Ok(())
    }
    // ANCHOR_END: mount
}

impl Volume {
    fn mount(&self) -> Result<()> {
        let host = self.host.strip_prefix("/")?;
        ensure!(host.exists(), "there is no {}", self.host.display());
        place_for(host, &self.container)?;
        let place = destination(&self.container)?;
        bind(host, &place)?;
        let read_only = if self.read_only {
            MsFlags::MS_RDONLY
        } else {
            MsFlags::empty()
        };
        restrict_all(&place, MsFlags::MS_NODEV | read_only)
    }
}

fn mount_tmpfs(path: &Path) -> Result<()> {
    fs::create_dir_all(path)?;
    mount_new("tmpfs", destination(path)?, DATA, "mode=1777")
}

/// Where `path` leads in the container: a link of a hostile rootfs may lead to a place that is taken.
fn destination(path: &Path) -> Result<PathBuf> {
    let place = path.canonicalize()?;
    inside(&place.to_string_lossy())
        .map_err(|reason| anyhow!("it is a link to {}: {reason}", place.display()))
}
