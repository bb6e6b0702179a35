//! Ports on which the programs of an image listen. Nobody outside the host's network reaches them before they are
//! published: `-P`, and [`crate::network::ports`].

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::network::ports::{Port, Ports, Protocol};

/// One port, or several that follow each other, as "8000-8010/tcp".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Exposed {
    first: u16,
    last: u16,
    protocol: Protocol,
}

impl FromStr for Exposed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        // It is a port like those of -p, which has only one.
        let port =
            |number: &str| -> Result<Port, String> { format!("{number}/{protocol}").parse() };
        let (first, last) = (port(first)?, port(last)?);
        if first.host != 0 || last.host != 0 || first.container > last.container {
            return Err("expected PORT or PORT-PORT".to_owned());
        }
        Ok(Self {
            first: first.container,
            last: last.container,
            protocol: first.protocol,
        })
    }
}

impl Exposed {
    pub fn ports(self) -> impl Iterator<Item = (u16, Protocol)> {
        (self.first..=self.last).map(move |port| (port, self.protocol))
    }

    /// The same ports, in as few as possible.
    pub fn merged(all: Vec<Self>) -> Vec<Self> {
        Self::of(all.into_iter().flat_map(Self::ports))
    }

    /// Those of `all` that no host port leads to.
    pub fn unpublished(all: &[Self], ports: &Ports) -> Vec<Self> {
        let led_to = |port: &Port| (port.container, port.protocol);
        let published: BTreeSet<_> = ports.publish.iter().map(led_to).collect();
        let ports = all.iter().copied().flat_map(Self::ports);
        Self::of(ports.filter(|port| !published.contains(port)))
    }

    fn of(ports: impl Iterator<Item = (u16, Protocol)>) -> Vec<Self> {
        let ports: BTreeSet<_> = ports.map(|(port, protocol)| (protocol, port)).collect();
        let mut all: Vec<Self> = Vec::new();
        for (protocol, port) in ports {
            match all.last_mut() {
                Some(last) if last.protocol == protocol && last.last + 1 == port => {
                    last.last = port
                }
                _ => all.push(Self {
                    first: port,
                    last: port,
                    protocol,
                }),
            }
        }
        all.sort();
        all
    }

    // ANCHOR: publish
    /// Publishes those of `all` that are not published yet, each on a port that the kernel chooses.
    pub fn publish(all: &[Self], ports: &mut Ports) {
        for (container, protocol) in Self::unpublished(all, ports)
            .into_iter()
            .flat_map(Self::ports)
        {
            let (ip, host) = (Ipv4Addr::UNSPECIFIED, 0);
            ports.publish.push(Port {
                container,
                protocol,
                ip,
                host,
            });
        }
    }
    // ANCHOR_END: publish
}

impl TryFrom<String> for Exposed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Exposed> for String {
    fn from(exposed: Exposed) -> Self {
        exposed.to_string()
    }
}

impl Display for Exposed {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Self {
            first,
            last,
            protocol,
        } = self;
        match first == last {
            true => write!(f, "{first}/{protocol}"),
            false => write!(f, "{first}-{last}/{protocol}"),
        }
    }
}
