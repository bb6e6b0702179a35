//! What the container sees of the network: network_namespaces(7).

pub mod addresses;
pub mod bridge;
pub mod etc;
pub mod firewall;
pub mod lookup;
pub mod ports;
pub mod proxy;
pub mod publish;
pub mod spoofing;
pub mod subnet;

use std::fs;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::failure::sudo_run;

/// In a Docker container, even root lacks this capability: capabilities(7).
pub const NO_NET_ADMIN: &str =
    "hint: use --net host; if this is a container, start it with --cap-add NET_ADMIN";

// ANCHOR: net
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
// ANCHOR_END: net

impl Net {
    // ANCHOR: choose
    /// What the user has `asked` for, or else the most that they may have.
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
    // ANCHOR_END: choose

    /// Docker's word for it.
    pub fn in_docker(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Isolated => "none",
            Self::Host => "host",
        }
    }

    // ANCHOR: namespace
    /// The namespace that the child needs for it, for clone(2).
    pub fn namespace(self) -> CloneFlags {
        match self {
            Self::Bridge | Self::Isolated => CloneFlags::CLONE_NEWNET,
            Self::Host => CloneFlags::empty(),
        }
    }
    // ANCHOR_END: namespace
}

// ANCHOR: enter
/// In the child: makes the network usable.
pub fn enter(net: Net) -> Result<()> {
    match net {
        Net::Bridge | Net::Isolated => {
            bring_up_loopback().context("cannot bring up the loopback device")?;
        }
        Net::Host => (),
    }
    if net == Net::Bridge {
        // If the files are read-only, the user has been told already.
        let _ = without_ipv6("eth0");
    }
    Ok(())
}
// ANCHOR_END: enter

// ANCHOR: without_ipv6
/// We assign no IPv6 addresses. But if IPv6 is on, a container can send a router advertisement, and become the way out
/// for the host and the neighbours (CVE-2020-13401). A firewall is less reliable: its rules can be flushed.
pub fn without_ipv6(device: &str) -> io::Result<()> {
    // If somebody switches IPv6 on again, the other two settings still hold.
    for (name, value) in [
        ("disable_ipv6", "1"),
        ("accept_ra", "0"),
        ("accept_redirects", "0"),
    ] {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{device}/{name}"), value) {
            Err(error) if error.kind() == ErrorKind::NotFound => (), // a kernel without it
            written => written?,
        }
    }
    Ok(())
}
// ANCHOR_END: without_ipv6

// ANCHOR: bring_up_loopback
/// What `ip link set lo up` does, without a program that the host may not have.
fn bring_up_loopback() -> Result<()> {
    set_flags("lo", libc::IFF_UP).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => anyhow!("{error}\n{NO_NET_ADMIN}"),
        _ => error.into(),
    })
}

/// Sets the `flags` of a network device: netdevice(7).
pub fn set_flags(device: &str, flags: i32) -> io::Result<()> {
    // Any socket will do to talk to the kernel about network devices.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: ifreq is made of numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) })?;
    Ok(())
}
// ANCHOR_END: bring_up_loopback
