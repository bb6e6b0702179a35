//! `-p`: host ports that lead to the container. ip(7), socket(7).
//!
//! The options, and the sockets that hold the ports. [`crate::network::publish`] makes the rules for them, and
//! [`crate::network::proxy`] answers where no rule applies.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::failure::{sudo_run, warn};
use crate::network::Net;

// ANCHOR: ports
#[derive(Args, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ports {
    /// Publish a container's port on the host (IPv4): [IP:]HOST:CONTAINER[/udp], or CONTAINER for a free host port
    #[arg(short, long, value_name = "PORTS")]
    pub publish: Vec<Port>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// The container's port.
    pub container: u16,
    pub protocol: Protocol,
    /// The host's address at which it is published. 0.0.0.0 means all of them.
    pub ip: Ipv4Addr,
    /// The host's port, or 0 until the kernel has chosen one.
    pub host: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
}
// ANCHOR_END: ports

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err("only /tcp and /udp can be published".to_owned()),
        };
        if ports.contains('[') {
            return Err("only IPv4 addresses can be published".to_owned());
        }
        let (ip, host, container) = match ports.split(':').collect::<Vec<_>>()[..] {
            [container] => ("", "", container),
            [host, container] => ("", host, container),
            [ip, host, container] => (ip, host, container),
            _ => {
                return Err("expected IP:HOST:CONTAINER, HOST:CONTAINER or CONTAINER".to_owned());
            }
        };
        let ip = match ip {
            "" => Ipv4Addr::UNSPECIFIED,
            ip => ip
                .parse()
                .map_err(|_| format!("{ip} is not an IPv4 address"))?,
        };
        let host = if host.is_empty() { 0 } else { number(host)? };
        let container = number(container)?;
        Ok(Self {
            container,
            protocol,
            ip,
            host,
        })
    }
}

fn number(text: &str) -> Result<u16, String> {
    if text.contains('-') {
        return Err("port ranges are not supported; use one -p for each port".to_owned());
    }
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| format!("'{text}' is not a port number from 1 to 65535"))
}

/// In the format of Docker's `ps`.
impl Display for Ports {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let mut ports = self.publish.clone();
        ports.sort();
        let ports: Vec<_> = ports.iter().map(Port::to_string).collect();
        f.write_str(&ports.join(", "))
    }
}

impl Display for Port {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Self {
            ip,
            host,
            container,
            protocol,
        } = self;
        write!(f, "{ip}:{host}->{container}/{protocol}")
    }
}

impl Display for Protocol {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl Ports {
    // ANCHOR: reserve
    /// Takes the host's ports. No other program can have them while the sockets exist.
    pub fn reserve(&mut self, net: Net) -> Result<Vec<OwnedFd>> {
        match net {
            Net::Host if !self.publish.is_empty() => {
                warn(&anyhow!(
                    "-p has no effect with --net host: the container uses the host's ports"
                ));
                self.publish.clear();
            }
            Net::Isolated if !self.publish.is_empty() && geteuid().is_root() => {
                bail!(
                    "cannot publish ports: a container with --net isolated cannot be reached\n\
                    hint: use --net bridge"
                );
            }
            Net::Isolated if !self.publish.is_empty() => bail!(
                "cannot publish ports: only root may change the host's network\n\
                hint: {}, or use --net host, which needs no published ports",
                sudo_run()
            ),
            _ => (),
        }
        self.publish.iter_mut().map(Port::reserve).collect()
    }
}

impl Port {
    fn reserve(&mut self) -> Result<OwnedFd> {
        let bound = match self.protocol {
            Protocol::Tcp => self.bind_tcp(),
            Protocol::Udp => self.bind_udp(),
        };
        let in_use = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
        let hint = match &bound {
            Err(error) if in_use(error) => {
                format!("\nhint: -p {} chooses a free port", self.container)
            }
            _ => String::new(),
        };
        bound.map_err(|error| anyhow!("cannot publish port {}: {error}{hint}", self.host))
    }

    /// Like most servers, we set SO_REUSEADDR, so the remains of earlier connections (TIME_WAIT) are no obstacle. A
    /// listening socket still has the port to itself.
    fn bind_tcp(&mut self) -> io::Result<OwnedFd> {
        let socket = TcpListener::bind((self.ip, self.host))?;
        self.host = socket.local_addr()?.port();
        Ok(socket.into())
    }

    fn bind_udp(&mut self) -> io::Result<OwnedFd> {
        let socket = UdpSocket::bind((self.ip, self.host))?;
        self.host = socket.local_addr()?.port();
        Ok(socket.into())
    }
    // ANCHOR_END: reserve
}
