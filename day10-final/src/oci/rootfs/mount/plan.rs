//! A mount to make: one of the `mounts` of config.json, with its source open as far as possible.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::mount::MsFlags;
use nix::sys::stat::Mode;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};

use crate::oci::channel::Orders;
use crate::oci::namespaces::wanted;
use crate::oci::rootfs::attributes::Change;
use crate::oci::rootfs::cgroups::{self, Hierarchy};
use crate::oci::rootfs::idmap;
use crate::oci::rootfs::options::Options;
use crate::rootfs::mounts::Tree;

/// What has files of the container's own, which SELinux has to know: mount(8), "context=".
const LABELLED: [&str; 4] = ["tmpfs", "devpts", "ramfs", "overlay"];

pub const PATH: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

pub struct Plan {
    pub(super) target: PathBuf,
    pub(super) kind: String,
    pub(super) source: PathBuf,
    pub(super) options: Options,
    /// As of the container's other mounts.
    pub(super) spread: MsFlags,
    /// A bind mount's source, once it is open.
    pub(super) tree: Option<Tree>,
    /// Whose ids its files have, if not those on the disk.
    pub(super) ids: Option<OwnedFd>,
    /// For a mount of cgroups.
    pub(super) hierarchies: Vec<Hierarchy>,
}

impl Plan {
    /// Opens the source, as far as we may now.
    pub fn new(mount: &Mount, orders: &Orders, spread: MsFlags) -> Result<Self> {
        let options = mount.options().as_deref().unwrap_or_default();
        let mut options = Options::parse(options)?;
        let kind = mount.typ().clone().unwrap_or_default();
        if kind == "bind" && options.bind.is_none() {
            options.bind = Some(true);
        }
        let linux = orders.spec.linux().as_ref();
        let label = linux.and_then(|linux| linux.mount_label().as_deref());
        if let Some(label) = label.filter(|label| !label.is_empty())
            && LABELLED.contains(&kind.as_str())
        {
            options.data.push(format!("context=\"{label}\""));
        }
        let source = mount.source().clone().unwrap_or_default();
        ensure!(
            options.bind.is_none() || mount.source().is_some(),
            "source: a bind mount needs one"
        );
        let target = mount.destination();
        let target = target.strip_prefix(&orders.rootfs).unwrap_or(target);
        let mut plan = Self {
            target: Path::new("/").join(target),
            source: match options.bind {
                // A relative one is in the bundle.
                Some(_) => orders.bundle.join(source),
                None => source,
            },
            kind,
            options,
            spread,
            tree: None,
            ids: None,
            hierarchies: Vec::new(),
        };
        plan.ids = idmap::namespace(mount, &plan.options, &orders.spec)?;
        ensure!(
            plan.ids.is_none() || plan.options.bind.is_some(),
            "uidMappings: only a bind mount can have them"
        );
        let is_source = plan.options.bind.is_some() && !plan.options.remount;
        if is_source && wanted(&orders.spec, Kind::User).is_some() {
            // Root in the new namespace may not be allowed to reach it. If it is not there yet, a mount may bring it.
            let source = open(&plan.source, PATH, Mode::empty());
            plan.tree = source.and_then(|source| plan.bind(source)).ok();
        }
        if plan.is_of_cgroups() {
            plan.hierarchies = cgroups::open_all(orders)?;
        }
        Ok(plan)
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    pub(super) fn is_of_cgroups(&self) -> bool {
        self.options.bind.is_none() && ["cgroup", "cgroup2"].contains(&self.kind.as_str())
    }

    fn bind(&self, source: OwnedFd) -> nix::Result<Tree> {
        let tree = match self.options.bind {
            Some(true) => Tree::of(source)?,
            _ => Tree::of_one(source)?,
        };
        let mut spread = Change::propagation(self.spread);
        spread.recursive = true;
        spread.apply(&tree)?;
        if let Some(ids) = &self.ids {
            let recursive = self.options.idmap == Some(true);
            let change = Change {
                recursive,
                ..Change::default()
            };
            change.apply_with(tree.as_fd(), Some(ids.as_fd()))?;
        }
        Ok(tree)
    }

    /// The source of a bind mount, found from the `host`'s root: the mounts before this one may be part of it.
    pub(super) fn bind_now(&mut self, host: BorrowedFd) -> Result<Tree> {
        let path = self.source.strip_prefix("/").unwrap_or(&self.source);
        let path = if path == Path::new("") {
            Path::new(".")
        } else {
            path
        };
        let how = OpenHow::new().flags(PATH);
        let source = openat2(host, path, how.resolve(ResolveFlag::RESOLVE_IN_ROOT));
        let tree = source.and_then(|source| self.bind(source));
        let earlier = self.tree.take();
        tree.or_else(|errno| earlier.ok_or(errno))
            .with_context(|| format!("source: cannot bind {}", self.source.display()))
    }
}
