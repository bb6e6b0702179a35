//! The device nodes of a container: those that the specification promises, and those of linux.devices. mknod(2).

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, fstat, major, makedev, minor, mknodat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType as Type, Spec};

use crate::rootfs::mounts::Tree;
use crate::rootfs::place::{self, Missing};

/// config-linux.md, "Default Devices": null(4), full(4), random(4), tty(4).
const DEFAULT: [(&str, (u64, u64)); 6] = [
    ("/dev/null", NULL),
    ("/dev/zero", (1, 5)),
    ("/dev/full", (1, 7)),
    ("/dev/random", (1, 8)),
    ("/dev/urandom", (1, 9)),
    ("/dev/tty", (5, 0)),
];

const NULL: (u64, u64) = (1, 3);

/// runtime-linux.md, "Dev symbolic links"; and what runc adds.
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

// ANCHOR: nodes
/// The host's nodes: /dev/null for the masks.
#[derive(Default)]
pub struct Nodes {
    null: Option<Tree>,
}

impl Nodes {
    /// Opens them.
    pub fn open_late(&mut self) -> Result<()> {
        // In our own mount namespace, since each mask will be a copy of it.
        self.null = may_open(Path::new("/dev/null"));
        let null = fstat(self.null()?)?;
        ensure!(
            (major(null.st_rdev), minor(null.st_rdev)) == NULL,
            "/dev/null is not the expected device"
        );
        Ok(())
    }

    pub fn null(&self) -> Result<&Tree> {
        self.null.as_ref().context("cannot open /dev/null")
    }
}

fn may_open(path: &Path) -> Option<Tree> {
    let node = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    // Read-only means the node, not the device. Otherwise, a chmod inside would change the host's node.
    Tree::of_one(node).ok()?.restrict(MsFlags::MS_RDONLY).ok()
}
// ANCHOR_END: nodes

/// All devices, those of the configuration last: it may give a default one another mode or owner.
fn wanted(spec: &Spec) -> impl Iterator<Item = LinuxDevice> {
    let given = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.devices().clone());
    let given = given.unwrap_or_default();
    let default = DEFAULT.map(|(path, (major, minor))| {
        let mut device = LinuxDevice::default();
        device
            .set_path(path.into())
            .set_typ(Type::C)
            .set_major(major as i64)
            .set_minor(minor as i64)
            .set_file_mode(Some(0o666));
        device
    });
    let is_given = |path: &PathBuf| given.iter().any(|other| other.path() == path);
    let mut all: Vec<_> = default
        .into_iter()
        .filter(|device| !is_given(device.path()))
        .collect();
    all.extend(given);
    all.into_iter()
}

/// With the container's root as ours: creates them. If the whole /dev comes from the host, it is complete.
pub fn create(spec: &Spec) -> Result<()> {
    let is_dev = |path: &Path| path.components().eq(Path::new("/dev").components());
    let mut mounts = spec.mounts().iter().flatten();
    let bound = mounts.any(|mount| {
        let options = mount.options().as_deref().unwrap_or_default();
        let bind = mount.typ().as_deref() == Some("bind")
            || options
                .iter()
                .any(|option| option == "bind" || option == "rbind");
        bind && is_dev(mount.destination())
    });
    if bound {
        return Ok(());
    }
    for device in wanted(spec) {
        let path = device.path();
        create_one(&device)
            .with_context(|| format!("linux.devices: cannot create {}", path.display()))?;
    }
    let dev = place::find(Path::new("/dev"), Missing::MakeDirectory)?.fd;
    for (link, target) in LINKS {
        // Not every kernel has it: CONFIG_PROC_KCORE.
        if link == "core" && place::find(Path::new(target), Missing::Fail).is_err() {
            continue;
        }
        // An image may have brought them.
        match symlinkat(target, &dev, link) {
            Err(Errno::EEXIST) if link == "ptmx" => replace_ptmx(&dev)?,
            Err(Errno::EEXIST) => (),
            linked => linked.with_context(|| format!("cannot create /dev/{link}"))?,
        }
    }
    Ok(())
}

/// Of an old kind: a node, which would be the host's terminals.
fn replace_ptmx(dev: &OwnedFd) -> Result<()> {
    nix::unistd::unlinkat(dev, "ptmx", nix::unistd::UnlinkatFlags::NoRemoveDir)
        .and_then(|()| symlinkat("pts/ptmx", dev, "ptmx"))
        .context("cannot replace /dev/ptmx")
}

// ANCHOR: create_one
fn create_one(device: &LinuxDevice) -> Result<()> {
    let path = Path::new("/").join(device.path());
    let name = path.file_name().context("path is not that of a file")?;
    let above = path.parent().context("path is not that of a file")?;
    let directory = place::find(above, Missing::MakeDirectory)?.fd;
    let kind = match device.typ() {
        Type::C | Type::U => SFlag::S_IFCHR,
        Type::B => SFlag::S_IFBLK,
        Type::P => SFlag::S_IFIFO,
        Type::A => bail!("type: a is for rules, not for devices"),
    };
    let mode = Mode::from_bits_truncate(device.file_mode().unwrap_or(0o666));
    let number = match kind {
        SFlag::S_IFIFO => 0,
        _ => makedev(
            u64::try_from(device.major()).context("major")?,
            u64::try_from(device.minor()).context("minor")?,
        ),
    };
    match mknodat(&directory, name, kind, mode, number) {
        Err(Errno::EEXIST) => (),
        made => made?,
    }
    // Others may see this directory, and put something else there at any time.
    let node = place::step(directory.as_fd(), name, Missing::Fail)?;
    let there = fstat(&node)?;
    let same = SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT == kind
        && (there.st_rdev == number || kind == SFlag::S_IFIFO);
    ensure!(same, "there is something else at this path");
    let (uid, gid) = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    fchownat(&node, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH).context("uid, gid")
}
// ANCHOR_END: create_one
