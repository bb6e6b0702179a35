//! The addresses for containers: an IPv4 network that this host does not have yet.
//!
//! The [command line](crate::cli) names one, and a [`Container`](crate::container::Container) remembers it.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What to recommend if ours is taken. RFC 1918 leaves these networks to everybody.
const OTHERS: [&str; 3] = ["10.123.0.0/24", "172.30.0.0/24", "192.168.210.0/24"];

/// For example 10.10.0.0/24: what all its addresses have in common, and how many bits that is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Subnet {
    network: u32,
    mask: u32,
}

/// Day 9's, whose records do not mention it.
impl Default for Subnet {
    fn default() -> Self {
        let [network, mask] = [[10, 10, 0, 0], [255, 255, 255, 0]].map(u32::from_be_bytes);
        Self { network, mask }
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A variable of the environment may be empty.
        if text.is_empty() {
            return Ok(Self::default());
        }
        let parsed = text.split_once('/').and_then(|(network, bits)| {
            let network = network.parse().map(Ipv4Addr::to_bits).ok()?;
            Some((network, bits.parse::<u32>().ok()?))
        });
        let (network, bits) = parsed.ok_or("expected the form 10.10.0.0/24")?;
        if !(16..=29).contains(&bits) {
            return Err("expected a prefix length from /16 to /29".to_owned());
        }
        let mask = u32::MAX << (32 - bits);
        let subnet = Self {
            network: network & mask,
            mask,
        };
        match network == subnet.network {
            true => Ok(subnet),
            false => Err(format!("its network address is {subnet}")),
        }
    }
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl Display for Subnet {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}", self.with_bits(0))
    }
}

impl Subnet {
    /// The address with this `number`. 1 is the bridge's, and containers have 2 to [`last`](Self::last).
    pub fn address(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network + number)
    }

    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.mask)
    }

    /// The same in the form that ip(8) expects, for example 10.10.0.2/24.
    pub fn with_bits(self, number: u32) -> String {
        format!("{}/{}", self.address(number), self.mask.count_ones())
    }

    /// The last number for a container. The next one is for broadcasts.
    pub fn last(self) -> u32 {
        !self.mask - 1
    }

    /// The network of `device`, if it has one.
    pub fn of(device: &str) -> Result<Option<Self>> {
        let mut routes = routes()?.into_iter();
        Ok(routes
            .find(|(name, _)| name == device)
            .map(|(_, subnet)| subnet))
    }

    // ANCHOR: taken
    /// The device, other than `ours`, through which this host reaches some of these addresses, and the network behind
    /// it.
    pub fn taken(self, ours: &str) -> Result<Option<(String, Self)>> {
        let overlaps = |route: &Self| {
            let mask = self.mask & route.mask;
            route.mask != 0 && self.network & mask == route.network & mask
        };
        let mut routes = routes()?.into_iter();
        Ok(routes.find(|(device, route)| device != ours && overlaps(route)))
    }
    // ANCHOR_END: taken

    /// A network that is not taken.
    pub fn another(ours: &str) -> Option<Self> {
        let mut others = OTHERS.iter().flat_map(|text| text.parse::<Self>());
        others.find(|other| matches!(other.taken(ours), Ok(None)))
    }
}

/// Each device with a network to which it leads. /proc/net/route: proc_pid_net(5).
fn routes() -> Result<Vec<(String, Subnet)>> {
    let table = fs::read_to_string("/proc/net/route").context("cannot read the routes")?;
    let route = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // Hexadecimal, and in network byte order.
        let number = |field: usize| {
            u32::from_str_radix(fields.get(field)?, 16)
                .ok()
                .map(u32::to_be)
        };
        let (network, mask) = (number(1)?, number(7)?);
        Some((fields[0].to_owned(), Subnet { network, mask }))
    };
    Ok(table.lines().skip(1).filter_map(route).collect())
}
