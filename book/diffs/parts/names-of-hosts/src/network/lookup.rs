//! How a container's programs look up names: `--add-host`, `--dns`. hosts(5), resolv.conf(5).
//!
//! The options only: [`crate::network::etc`] writes the files.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};

/// Docker's word for the address at which the container reaches its host.
const HOST: &str = "host-gateway";

// ANCHOR: lookup
#[derive(Args, Clone, Default, Serialize, Deserialize)]
pub struct Lookup {
    /// Add a custom host-to-IP mapping (host-gateway stands for this host's address)
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub add_host: Vec<Host>,
    /// Set a custom DNS server
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<IpAddr>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Host {
    pub name: String,
    /// None stands for the host's address, which is unknown until the container has a network.
    pub address: Option<IpAddr>,
}
// ANCHOR_END: lookup

impl Lookup {
    /// Whether the user asked for any of this.
    pub fn is_asked_for(&self) -> bool {
        !self.add_host.is_empty() || !self.dns.is_empty()
    }
}

impl Display for Host {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{}:{address}", self.name),
            None => write!(f, "{}:{HOST}", self.name),
        }
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, address)) = text.split_once(':') else {
            return Err("expected NAME:ADDRESS".to_owned());
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if name.is_empty() || !name.chars().all(legal) {
            return Err("only letters, digits, '-', '.' and '_' are allowed in a name".to_owned());
        }
        let address = match address {
            HOST => None,
            _ => Some(
                address
                    .parse()
                    .map_err(|_| format!("{address} is not an IP address"))?,
            ),
        };
        let name = name.to_owned();
        Ok(Self { name, address })
    }
}
