//! What the container sees of the network: network_namespaces(7).
//!
//! The [parent](crate::parent) prepares it, and the [child](crate::child) enters it.

pub mod addresses;
pub mod bridge;
pub mod device;
pub mod etc;
pub mod exposed;
pub mod firewall;
pub mod lookup;
pub mod ports;
pub mod proxy;
pub mod publish;
pub mod rules;
pub mod spoofing;
pub mod subnet;

use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use nix::sched::CloneFlags;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::failure::sudo_run;
use crate::network::device::{NO_NET_ADMIN, configure_eth0, set_flags, without_ipv6};
use crate::network::subnet::Subnet;

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Net {
    /// A network of its own, connected to the host's by a bridge
    Bridge,
    /// A network of its own, with only a loopback device
    #[value(alias = "none")]
    Isolated,
    /// The host's network, as if there were no container
    #[default] // of the containers of earlier days
    Host,
}

/// What the user has typed after `--net`. As in Docker, `default` and an empty value are as good as none.
#[derive(Clone, Copy)]
pub struct Asked(pub Option<Net>);

impl ValueEnum for Asked {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(Some(Net::Bridge)),
            Self(Some(Net::Isolated)),
            Self(Some(Net::Host)),
            Self(None),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self.0 {
            Some(net) => net.to_possible_value(),
            None => Some(PossibleValue::new("default").alias("").hide(true)),
        }
    }
}

impl Net {
    /// What the user `asked` for; by default, the most that they may have.
    pub fn choose(asked: Option<Self>) -> Result<Self> {
        let root = geteuid().is_root();
        match asked {
            Some(Self::Bridge) if !root => bail!(
                "cannot use --net bridge: only root may change the host's network\nhint: use --net isolated, or {}",
                sudo_run()
            ),
            Some(net) => Ok(net),
            None if root => Ok(Self::Bridge),
            None => Ok(Self::Isolated),
        }
    }

    /// Docker's word for it.
    pub fn in_docker(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Isolated => "none",
            Self::Host => "host",
        }
    }

    /// The namespace that the child needs for it, as a flag for clone(2).
    pub fn namespace(self) -> CloneFlags {
        match self {
            Self::Bridge | Self::Isolated => CloneFlags::CLONE_NEWNET,
            Self::Host => CloneFlags::empty(),
        }
    }
}

/// In the child: makes the network usable.
pub fn enter(net: Net, address: Option<Ipv4Addr>, subnet: Subnet) -> Result<()> {
    if net != Net::Host {
        set_flags("lo", libc::IFF_UP).map_err(|error| {
            anyhow!("cannot bring up the loopback device: {error}\n{NO_NET_ADMIN}")
        })?;
    }
    if let Some(address) = address {
        // If the files are read-only, the parent has told the user already.
        let _ = without_ipv6("eth0");
        configure_eth0(address, subnet.mask(), subnet.address(1))
            .context("cannot configure eth0")?;
    }
    Ok(())
}
