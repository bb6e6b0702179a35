//! What a container has besides its root filesystem: `-v`, `--tmpfs`, `--read-only`.
//!
//! Uses [`crate::rootfs::mounts`] to prepare the mounts, and [`crate::rootfs::place`] to find where they go.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::MsFlags;
use nix::sys::stat::SFlag;
use serde::{Deserialize, Serialize};

use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing};
use crate::rootfs::tmpfs::Tmpfs;

// ANCHOR: volumes
#[derive(Args, Clone, Default, Serialize, Deserialize)]
pub struct Volumes {
    /// Bind mount a host file or directory (append :ro for read-only)
    #[arg(short, long = "volume", value_name = "HOST:CONTAINER[:ro]")]
    pub volumes: Vec<Volume>,
    /// Mount a tmpfs directory (with options such as size=64m,exec)
    #[arg(long, value_name = "PATH[:OPTIONS]")]
    pub tmpfs: Vec<Tmpfs>,
    /// Mount the root filesystem as read-only
    #[arg(long)]
    pub read_only: bool,
    /// Directories of the image that are mounts of their own: they stay writable, and change with the container only.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<PathBuf>,
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
        let (host, container, options) = match parts[..] {
            [path] if path.starts_with('/') => return Err(ANONYMOUS.to_owned()),
            [host, container] => (host, container, "rw"),
            [host, container, options] => (host, container, options),
            _ => return Err(EXPECTED.to_owned()),
        };
        let read_only = is_read_only(options)?;
        if !host.contains('/') && host != "." {
            return Err(format!(
                "named volumes are not supported; for a directory, use ./{host}"
            ));
        }
        let host = std::path::absolute(host).map_err(|error| error.to_string())?;
        let container = place::inside(container)?;
        Ok(Self {
            host,
            container,
            read_only,
        })
    }
}

const EXPECTED: &str = "expected HOST:CONTAINER or HOST:CONTAINER:ro";
const ANONYMOUS: &str = "anonymous volumes are not supported; use HOST:CONTAINER, or --tmpfs PATH";

/// What the `options` of a volume say, which are separated by commas.
///
/// Docker has some for which there is nothing to do. z and Z are for SELinux, of which a container has no label, three
/// are for macOS, and two ask for what is the default.
fn is_read_only(options: &str) -> Result<bool, String> {
    let mut mode = None;
    for option in options.split(',') {
        match option {
            "ro" | "rw" if mode.is_none() => mode = Some(option),
            "z" | "Z" | "cached" | "consistent" | "delegated" | "private" | "rprivate" => (),
            "shared" | "rshared" | "slave" | "rslave" => {
                return Err("mounts in a volume are not propagated".to_owned());
            }
            _ => return Err(EXPECTED.to_owned()),
        }
    }
    Ok(mode == Some("ro"))
}

impl Volumes {
    /// Like Docker, creates an empty directory for each volume that the host does not have yet.
    ///
    /// Links on the host are followed here, and never again: see [`open`](Self::open).
    pub fn prepare(&mut self) -> Result<()> {
        let volumes = self.volumes.iter().map(|volume| &volume.container);
        let mut places: Vec<_> = volumes
            .chain(self.tmpfs.iter().map(|tmpfs| &tmpfs.path))
            .collect();
        places.sort();
        if let Some(pair) = places.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!(
                "cannot mount {}: two volumes have the same path",
                pair[0].display()
            );
        }
        // The user's have precedence.
        self.own.retain(|own| !places.contains(&own));
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
    /// Opens all of them on the host, in the order in which they will be mounted: deeper paths come later.
    pub fn open(&self) -> Result<Opened> {
        let mut all = Vec::new();
        for Volume {
            host,
            container,
            read_only,
        } in &self.volumes
        {
            let tree = bind(host, *read_only)
                .with_context(|| format!("cannot mount {}", host.display()))?;
            all.push((container.clone(), tree));
        }
        for tmpfs in &self.tmpfs {
            let tree = tmpfs
                .create()
                .with_context(|| format!("cannot mount {}", tmpfs.path.display()))?;
            all.push((tmpfs.path.clone(), tree));
        }
        all.sort_by_key(|(path, _)| path.components().count());
        Ok(Opened(all))
    }
}

/// What will be mounted, and where in the container.
pub struct Opened(Vec<(PathBuf, Tree)>);

impl Opened {
    // ANCHOR: own
    /// Adds the directories that are the container's `own`, as they are in the image and its layer. The root directory
    /// must be the container's already, and without any volume.
    pub fn add(&mut self, own: &[PathBuf]) -> Result<()> {
        for path in own {
            let cannot = || format!("cannot mount {}", path.display());
            let place = place::to_mount(path, Missing::MakeDirectory).with_context(cannot)?;
            self.0
                .push((path.clone(), Tree::of(place.fd).with_context(cannot)?));
        }
        self.0.sort_by_key(|(path, _)| path.components().count());
        Ok(())
    }
    // ANCHOR_END: own

    /// Mounts all of them, and returns where links have led.
    pub fn mount(self) -> Result<Vec<PathBuf>> {
        let mount_one = |(path, tree): (PathBuf, Tree)| {
            let missing = match place::kind(&tree)? {
                SFlag::S_IFDIR => Missing::MakeDirectory,
                _ => Missing::MakeFile,
            };
            let cannot = || format!("cannot mount {}", path.display());
            let place = place::to_mount(&path, missing).with_context(cannot)?;
            tree.attach(place.fd).with_context(cannot)?;
            Ok(place.path)
        };
        self.0.into_iter().map(mount_one).collect()
    }
}

/// A directory or file on the `host`, with everything that is mounted below it.
fn bind(host: &Path, read_only: bool) -> Result<Tree> {
    // The path may have been exchanged with a link since the user asked for it.
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
    let source = openat2(
        AT_FDCWD,
        host,
        how.resolve(ResolveFlag::RESOLVE_NO_SYMLINKS),
    )?;
    let read_only = match read_only {
        true => MsFlags::MS_RDONLY,
        false => MsFlags::empty(),
    };
    Ok(Tree::of(source)?.restrict(MsFlags::MS_NODEV | read_only)?)
}
// ANCHOR_END: mount
