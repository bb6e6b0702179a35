//! `--tmpfs`: a directory in memory, with options as in Docker. tmpfs(5).

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use nix::mount::MsFlags;
use serde::{Deserialize, Serialize};

use crate::rootfs::mounts::{DATA, Tree};
use crate::rootfs::place;

// ANCHOR: tmpfs
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tmpfs {
    pub path: PathBuf,
    /// For example "size=64k,mode=755".
    pub options: String,
}

impl Tmpfs {
    pub fn create(&self) -> Result<Tree> {
        let mut flags = DATA;
        let mut of_its_own = Vec::new();
        for option in self.options.split(',') {
            match option {
                "ro" => flags |= MsFlags::MS_RDONLY,
                "rw" => flags -= MsFlags::MS_RDONLY,
                "exec" => flags -= MsFlags::MS_NOEXEC,
                "noexec" => flags |= MsFlags::MS_NOEXEC,
                "suid" => flags -= MsFlags::MS_NOSUID,
                "nosuid" => flags |= MsFlags::MS_NOSUID,
                "nodev" | "" => (),
                _ => of_its_own.push(option),
            }
        }
        Tree::new("tmpfs", flags, &of_its_own.join(","))
    }
}

/// Whether `option` is a known one with a valid value.
fn check(option: &str) -> Result<(), String> {
    let (key, value) = option.split_once('=').unwrap_or((option, ""));
    let number = |text: &str| text.parse::<u32>().is_ok();
    let good = match key {
        "ro" | "rw" | "exec" | "noexec" | "suid" | "nosuid" | "nodev" => key == option,
        "size" => number(
            value
                .strip_suffix(['k', 'K', 'm', 'M', 'g', 'G', '%'])
                .unwrap_or(value),
        ),
        "nr_inodes" | "nr_blocks" => number(
            value
                .strip_suffix(['k', 'K', 'm', 'M', 'g', 'G'])
                .unwrap_or(value),
        ),
        "mode" => u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777),
        "uid" | "gid" => number(value),
        // A container could use the device nodes that it creates: see crate::rootfs::dev.
        "dev" => return Err("devices cannot be used in a tmpfs".to_owned()),
        _ => return Err(format!("unknown option {option:?}")),
    };
    good.then_some(()).ok_or(format!("{option:?} is not valid"))
}
// ANCHOR_END: tmpfs

impl FromStr for Tmpfs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        let path = place::inside(path)?;
        options
            .split(',')
            .filter(|option| !option.is_empty())
            .try_for_each(check)?;
        let options = options.to_owned();
        Ok(Self { path, options })
    }
}

impl TryFrom<String> for Tmpfs {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Tmpfs> for String {
    fn from(tmpfs: Tmpfs) -> Self {
        tmpfs.to_string()
    }
}

impl Display for Tmpfs {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let colon = if self.options.is_empty() { "" } else { ":" };
        write!(f, "{}{colon}{}", self.path.display(), self.options)
    }
}
