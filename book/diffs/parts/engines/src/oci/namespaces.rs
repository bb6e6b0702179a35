//! The namespaces that a configuration asks for: new ones, those of a path, and the host's where it names none.
//! namespaces(7), setns(2).

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};

use crate::network::device;
use crate::state::process::Process;

/// All of them, with their names in /proc/PID/ns. Mounts come last: with them, we leave the host's files.
pub const ALL: [(Kind, &str); 8] = [
    (Kind::User, "user"),
    (Kind::Cgroup, "cgroup"),
    (Kind::Ipc, "ipc"),
    (Kind::Network, "net"),
    (Kind::Time, "time"),
    (Kind::Pid, "pid"),
    (Kind::Uts, "uts"),
    (Kind::Mount, "mnt"),
];

/// For the CLONE_NEW… flag of a namespace's type: linux/nsfs.h, ioctl_ns(2).
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// What the configuration says of a namespace: None (the host's), Some(None) (a new one) or Some(Some(its path)).
pub fn wanted(spec: &Spec, kind: Kind) -> Option<Option<&Path>> {
    let all = spec.linux().as_ref()?.namespaces().as_ref()?;
    let namespace = all.iter().find(|namespace| namespace.typ() == kind)?;
    let path = namespace.path().as_deref();
    Some(path.filter(|path| !path.as_os_str().is_empty()))
}

/// Whether the configuration asks for a new one.
pub fn is_new(spec: &Spec, kind: Kind) -> bool {
    wanted(spec, kind) == Some(None)
}

// ANCHOR: new
/// The new namespaces for clone(2). A cgroup namespace is for later, when the process is in its cgroup; users and time
/// have been there before.
pub fn new(spec: &Spec) -> CloneFlags {
    let kinds = [
        (Kind::Ipc, CloneFlags::CLONE_NEWIPC),
        (Kind::Network, CloneFlags::CLONE_NEWNET),
        (Kind::Pid, CloneFlags::CLONE_NEWPID),
        (Kind::Uts, CloneFlags::CLONE_NEWUTS),
        (Kind::Mount, CloneFlags::CLONE_NEWNS),
    ];
    let new = kinds.iter().filter(|(kind, _)| is_new(spec, *kind));
    let new: CloneFlags = new.map(|(_, flag)| *flag).collect();
    match is_network_apart(spec) {
        true => new - CloneFlags::CLONE_NEWNET,
        false => new,
    }
}
// ANCHOR_END: new

/// Whether the runtime creates the network namespace. In a new user namespace, it would not belong to that one.
pub fn is_network_apart(spec: &Spec) -> bool {
    is_new(spec, Kind::Network) && wanted(spec, Kind::User).is_none()
}

// ANCHOR: new_network
/// A network namespace, if the runtime has to create one. That takes as long as all the container's mounts.
pub fn new_network(spec: &Spec) -> Result<Option<File>> {
    if !is_network_apart(spec) {
        return Ok(None);
    }
    // A thread can leave our network namespace, and we stay in it.
    let create = || {
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(crate::namespaces::refused)
            .context("cannot create namespaces")?;
        bring_up_loopback()?;
        File::open("/proc/thread-self/ns/net").context("cannot open the new network namespace")
    };
    let thread = thread::Builder::new().spawn(create);
    let created = thread.context("cannot start a thread")?.join();
    created
        .map_err(|_| anyhow!("a thread has panicked"))?
        .map(Some)
}
// ANCHOR_END: new_network

/// In a new network namespace, the loopback device begins switched off.
pub fn bring_up_loopback() -> Result<()> {
    device::set_flags("lo", libc::IFF_UP).context("cannot bring up the loopback device")
}

/// A namespace that is open, so that nobody can exchange it any more.
pub struct Open {
    kind: Kind,
    path: PathBuf,
    file: File,
}

/// Opens those that the configuration gives by their paths.
pub fn open_given(spec: &Spec) -> Result<Vec<Open>> {
    let mut opened = Vec::new();
    for (kind, _) in ALL {
        if let Some(Some(path)) = wanted(spec, kind) {
            let file = open(path, kind)
                .with_context(|| format!("linux.namespaces: cannot use {}", path.display()))?;
            let path = path.to_owned();
            opened.push(Open { kind, path, file });
        }
    }
    Ok(opened)
}

// ANCHOR: open_of
/// Opens those of a container's first `process` that we are not in.
pub fn open_of(process: &Process) -> Result<Vec<Open>> {
    let mut opened = Vec::new();
    for (kind, name) in ALL {
        let path = PathBuf::from(format!("/proc/{}/ns/{name}", process.pid));
        let ours = fs::read_link(format!("/proc/self/ns/{name}"));
        // A kernel without it has neither.
        if fs::read_link(&path).ok() == ours.ok() {
            continue;
        }
        let file =
            File::open(&path).with_context(|| format!("cannot open its {name} namespace"))?;
        opened.push(Open { kind, path, file });
    }
    // If it has ended, its pid may have passed to another process, and we have opened that one's.
    ensure!(process.exists(), "its first process has ended");
    Ok(opened)
}
// ANCHOR_END: open_of

// ANCHOR: open
/// A path may lead to anything. Opening a FIFO would wait, and a device may do something.
fn open(path: &Path, kind: Kind) -> Result<File> {
    let found = fs::metadata(path)?.file_type();
    ensure!(
        !found.is_fifo() && !found.is_char_device() && !found.is_block_device(),
        "it is not a namespace"
    );
    let file = File::open(path)?;
    // SAFETY: this ioctl has no argument, and returns a number.
    let found = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) };
    let found = Errno::result(found).map_err(|_| anyhow!("it is not a namespace"))?;
    ensure!(found == kind as i32, "it is not a namespace of type {kind}");
    Ok(file)
}
// ANCHOR_END: open

// ANCHOR: join
/// Joins all of them. Those that belong to the host have to come before the user namespace, after which we are nobody
/// there; others belong to the user namespace, and can only be joined from inside. So we try twice.
pub fn join(namespaces: Vec<Open>, map: impl FnOnce() -> Result<()>) -> Result<()> {
    let (user, others): (Vec<_>, Vec<_>) = namespaces
        .into_iter()
        .partition(|namespace| namespace.kind == Kind::User);
    let mut later = Vec::new();
    for namespace in others {
        // Our mounts are needed until the end.
        if namespace.kind == Kind::Mount {
            later.push(namespace);
            continue;
        }
        match namespace.join() {
            Err(Errno::EPERM) => later.push(namespace),
            joined => namespace.explain(joined)?,
        }
    }
    let is_user = !user.is_empty();
    for namespace in user {
        namespace.join_or_fail()?;
    }
    match is_user {
        true => become_root()?,
        false => map()?,
    }
    later.iter().try_for_each(Open::join_or_fail)
}
// ANCHOR_END: join

impl Open {
    fn join(&self) -> nix::Result<()> {
        // The crate does not know CLONE_NEWTIME.
        setns(&self.file, CloneFlags::from_bits_retain(self.kind as i32))
    }

    fn join_or_fail(&self) -> Result<()> {
        self.explain(self.join())
    }

    fn explain(&self, joined: nix::Result<()>) -> Result<()> {
        match joined {
            Err(Errno::EINVAL) => bail!(
                "cannot join {}: it is not a {} namespace",
                self.path.display(),
                self.kind
            ),
            joined => joined.with_context(|| {
                format!(
                    "cannot join the {} namespace {}",
                    self.kind,
                    self.path.display()
                )
            }),
        }
    }
}

// ANCHOR: become_root
/// In a user namespace whose ids are mapped: nobody of the host is left. If it has no root, we stay who we are: mapped
/// to nobody, but with all capabilities.
pub fn become_root() -> Result<()> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    // Not permitted where an ordinary user has mapped only themselves.
    let _ = setgroups(&[]);
    let ignore = |errno| match errno {
        Errno::EINVAL => Ok(()),
        errno => Err(errno),
    };
    setresgid(gid, gid, gid)
        .or_else(ignore)
        .context("cannot become the namespace's root group")?;
    setresuid(uid, uid, uid)
        .or_else(ignore)
        .context("cannot become the namespace's root")
}
// ANCHOR_END: become_root

/// Whether the user ids here are not the host's: user_namespaces(7).
pub fn in_user_namespace() -> bool {
    // A kernel without user namespaces has no such file.
    let map = fs::read_to_string("/proc/self/uid_map");
    map.is_ok_and(|map| !map.split_whitespace().eq(["0", "0", "4294967295"]))
}
