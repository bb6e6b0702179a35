//! What a container's processes may do. Right before the command, this process gives up what the command must not have:
//! credentials(7).
//!
//! [`crate::child`] calls it, after everything that needs power.

pub mod capabilities;
pub mod user;

use anyhow::{Context, Result};
use caps::{Capability, CapsHashSet};
use clap::{Args, ValueEnum};
use nix::errno::Errno;
use nix::sys::prctl::{set_keepcaps, set_no_new_privs};
use nix::unistd::{setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

use crate::privileges::user::User;

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
    /// Disable a protection: no-new-privileges=false
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
}

// ANCHOR: privileges
/// What a container may do. The default is for containers of earlier days, which held nothing back.
#[derive(Default, Serialize, Deserialize)]
pub struct Privileges {
    pub user: Option<String>,
    capabilities: Vec<Capability>,
    /// Whether a program may have more privileges than whoever executes it, for example through its setuid bit.
    new_privileges: bool,
}
// ANCHOR_END: privileges

impl From<Options> for Privileges {
    fn from(options: Options) -> Self {
        let has = |opt| options.security_opt.contains(&opt);
        Self {
            capabilities: capabilities::granted(&options.cap_add, &options.cap_drop),
            new_privileges: has(Opt::NewPrivileges),
            user: options.user.filter(|user| !user.is_empty()),
        }
    }
}

impl Privileges {
    /// The user that the command will run as. Call this inside the container, whose files give the names a meaning.
    pub fn user(&self) -> Result<User> {
        self.user.as_deref().map_or(Ok(User::root()), User::find)
    }

    // ANCHOR: drop
    /// Leaves this process with only these privileges. The order matters: each step needs what a later one takes away.
    pub fn apply(&self, user: &User) -> Result<()> {
        let granted: CapsHashSet = self.capabilities.iter().copied().collect();
        capabilities::limit(&granted)?;
        become_user(user)?;
        // An exec would take them from anybody who is not root, but PID 1 with --init never calls exec.
        match user.uid.is_root() {
            true => capabilities::keep_only(&granted)?,
            false => capabilities::keep_only(&CapsHashSet::new())?,
        }
        if !self.new_privileges {
            set_no_new_privs().context("cannot set no_new_privs")?;
        }
        Ok(())
    }
    // ANCHOR_END: drop
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
        Errno::EINVAL | Errno::EPERM => anyhow::anyhow!("root is the only user in this container"),
        _ => errno.into(),
    }
}
