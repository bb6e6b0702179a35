//! What a container's processes may do. Right before the command, this process gives up what the command must not have:
//! credentials(7).
//!
//! [`crate::child`] and [`crate::exec::guest`] call it, after everything that needs power.

pub mod capabilities;
pub mod seccomp;
pub mod syscalls;
pub mod user;

use std::ptr;

use anyhow::{Context, Result};
use caps::{Capability, CapsHashSet};
use clap::{Args, ValueEnum};
use nix::errno::Errno;
use nix::sys::prctl::{set_keepcaps, set_no_new_privs};
use nix::unistd::{setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

use crate::privileges::user::User;

/// Why there are no other users, and how to get them.
pub const NO_USERS: &str = "root is the only user in this container\nhint: install uidmap, then run \
    sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER";

/// As the user types it.
#[derive(Args)]
pub struct Options {
    /// Username or UID, and optionally a group name or GID
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Add a Linux capability (for example NET_ADMIN), or ALL
    #[arg(long, value_name = "CAPABILITY", value_parser = capabilities::name)]
    pub cap_add: Vec<String>,
    /// Drop a Linux capability, or ALL
    #[arg(long, value_name = "CAPABILITY", value_parser = capabilities::name)]
    pub cap_drop: Vec<String>,
    /// Disable a protection: seccomp=unconfined or no-new-privileges=false
    #[arg(long, value_name = "OPTION", value_enum, hide_possible_values = true)]
    pub security_opt: Vec<Opt>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Opt {
    #[value(
        name = "no-new-privileges",
        alias = "no-new-privileges=true",
        alias = "no-new-privileges:true"
    )]
    NoNewPrivileges,
    #[value(name = "no-new-privileges=false", alias = "no-new-privileges:false")]
    NewPrivileges,
    #[value(name = "seccomp=unconfined", alias = "seccomp:unconfined")]
    Unconfined,
}

// ANCHOR: privileges
/// What a container may do. The default is for containers of earlier days, which held nothing back.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Privileges {
    pub user: Option<String>,
    capabilities: Vec<Capability>,
    /// Whether a program may have more privileges than whoever executes it, for example through its setuid bit.
    new_privileges: bool,
    /// Whether its system calls are left unfiltered by [`seccomp`].
    unconfined: bool,
}
// ANCHOR_END: privileges

impl From<Options> for Privileges {
    fn from(options: Options) -> Self {
        let has = |opt| options.security_opt.contains(&opt);
        Self {
            capabilities: capabilities::granted(&options.cap_add, &options.cap_drop),
            new_privileges: has(Opt::NewPrivileges),
            unconfined: has(Opt::Unconfined),
            user: options.user.filter(|user| !user.is_empty()),
        }
    }
}

impl Privileges {
    /// The same privileges, for another user in the container.
    pub fn of_user(&mut self, user: String) {
        self.user = Some(user);
    }

    /// The user that the command will run as. Call this inside the container, whose files give the names a meaning.
    pub fn user(&self) -> Result<User> {
        self.user.as_deref().map_or(Ok(User::root()), User::find)
    }

    /// The capabilities that were added, and those that were dropped.
    pub fn changes(&self) -> [Vec<Capability>; 2] {
        let (usual, granted) = (capabilities::granted(&[], &[]), &self.capabilities);
        let added = granted.iter().filter(|one| !usual.contains(one)).copied();
        let dropped = usual.iter().filter(|one| !granted.contains(one)).copied();
        [added.collect(), dropped.collect()]
    }

    /// Which options of `--security-opt` are in force.
    pub fn options(&self) -> Vec<&'static str> {
        let no_new_privileges = (!self.new_privileges).then_some("no-new-privileges");
        let unconfined = self.unconfined.then_some("seccomp=unconfined");
        no_new_privileges.into_iter().chain(unconfined).collect()
    }

    // ANCHOR: drop
    /// Leaves this process with only these privileges. The order matters: each step needs what a later one takes away.
    pub fn apply(&self, user: &User) -> Result<()> {
        let granted: CapsHashSet = self.capabilities.iter().copied().collect();
        // Without no_new_privs, loading a filter takes CAP_SYS_ADMIN. We still have it.
        if self.new_privileges {
            self.filter(&granted)?;
        }
        if self.unconfined {
            forget_keys();
        }
        capabilities::limit(&granted)?;
        become_user(user)?;
        // An exec would take them from anybody who is not root, but PID 1 with --init never calls exec.
        match user.uid.is_root() {
            true => capabilities::keep_only(&granted)?,
            false => capabilities::keep_only(&CapsHashSet::new())?,
        }
        if !self.new_privileges {
            set_no_new_privs().context("cannot set no_new_privs")?;
            self.filter(&granted)?;
        }
        Ok(())
    }

    fn filter(&self, granted: &CapsHashSet) -> Result<()> {
        match self.unconfined {
            true => Ok(()),
            false => seccomp::load(granted),
        }
    }
    // ANCHOR_END: drop
}

/// Leaves the caller's session keyring, which may hold keys of encrypted disks or Kerberos: session-keyring(7). The
/// seccomp filter closes the way to them, too, but it can be switched off.
pub fn forget_keys() {
    let (join, anonymous) = (
        libc::KEYCTL_JOIN_SESSION_KEYRING,
        ptr::null::<libc::c_char>(),
    );
    // SAFETY: keyctl(2) takes a number, and no name. It fails if the kernel has no keyrings, or if another filter
    // forbids it.
    unsafe { libc::syscall(libc::SYS_keyctl, join, anonymous) };
}

// ANCHOR: become_user
/// Groups first: after the change of user, we may no longer change them.
fn become_user(user: &User) -> Result<()> {
    // A change of user would take all capabilities away, and we still need some.
    set_keepcaps(true).context("cannot keep capabilities")?;
    match setgroups(&user.groups) {
        // An ordinary user's own id is the only one there: see setgroups in user_namespaces(7).
        Err(Errno::EPERM) if user.groups.is_empty() => (),
        changed => changed
            .map_err(unmapped)
            .context("cannot change the groups")?,
    }
    let (uid, gid) = (user.uid, user.gid);
    setresgid(gid, gid, gid)
        .map_err(unmapped)
        .with_context(|| format!("cannot change to group {gid}"))?;
    setresuid(uid, uid, uid)
        .map_err(unmapped)
        .with_context(|| format!("cannot become user {uid}"))
}
// ANCHOR_END: become_user

fn unmapped(errno: Errno) -> anyhow::Error {
    match errno {
        Errno::EINVAL | Errno::EPERM => anyhow::anyhow!(NO_USERS),
        _ => errno.into(),
    }
}
