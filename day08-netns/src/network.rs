//! What the container sees of the network: network_namespaces(7).
//!
//! The [parent](crate::parent) prepares it, and the [child](crate::child) enters it.

pub mod device;
pub mod etc;

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::network::device::{NO_NET_ADMIN, set_flags};

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Net {
    /// A network of its own, with only a loopback device
    #[value(alias = "none")]
    Isolated,
    /// The host's network, as if there were no container
    #[default] // of the containers of earlier days
    Host,
}

impl Net {
    /// The namespace that the child needs for it, as a flag for clone(2).
    pub fn namespace(self) -> CloneFlags {
        match self {
            Self::Isolated => CloneFlags::CLONE_NEWNET,
            Self::Host => CloneFlags::empty(),
        }
    }
}

/// In the child: makes the network usable.
pub fn enter(net: Net) -> Result<()> {
    if net != Net::Host {
        set_flags("lo", libc::IFF_UP).map_err(|error| {
            anyhow!("cannot bring up the loopback device: {error}\n{NO_NET_ADMIN}")
        })?;
    }
    Ok(())
}
