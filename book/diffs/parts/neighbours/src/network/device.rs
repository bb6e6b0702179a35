//! Network devices: netdevice(7). Only this room uses them, and they use none of the others.

use std::fs;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// In a Docker container, even root lacks this capability: capabilities(7).
pub const NO_NET_ADMIN: &str =
    "hint: use --net host; if this is a container, start it with --cap-add NET_ADMIN";

/// What `ip link set DEVICE up` does, without a program that the host may not have.
pub fn set_flags(device: &str, flags: i32) -> io::Result<()> {
    let mut request = about(device);
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    ask(libc::SIOCSIFFLAGS, &request)
}

fn about(device: &str) -> libc::ifreq {
    // SAFETY: ifreq is made of numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn ask<T>(what: libc::c_ulong, request: &T) -> io::Result<()> {
    // Any socket will do to talk to the kernel about network devices.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: each of these requests reads the struct that it comes with.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), what as libc::Ioctl, request) })?;
    Ok(())
}

// ANCHOR: configure_eth0
/// What `ip addr add`, `ip link set up` and `ip route add default via` do.
pub fn configure_eth0(address: Ipv4Addr, mask: Ipv4Addr, gateway: Ipv4Addr) -> io::Result<()> {
    let mut request = about("eth0");
    request.ifr_ifru.ifru_addr = inet(address);
    ask(libc::SIOCSIFADDR, &request)?;
    request.ifr_ifru.ifru_netmask = inet(mask);
    ask(libc::SIOCSIFNETMASK, &request)?;
    set_flags("eth0", libc::IFF_UP)?;

    // SAFETY: rtentry is made of numbers and a pointer that may be null.
    let mut route: libc::rtentry = unsafe { mem::zeroed() };
    route.rt_dst = inet(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = inet(gateway);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    ask(libc::SIOCADDRT, &route)
}

/// An address as these requests have it, after the two bytes of a port: ip(7).
fn inet(address: Ipv4Addr) -> libc::sockaddr {
    let mut sa_data = [0; 14];
    for (to, from) in sa_data[2..].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    let sa_family = libc::AF_INET as libc::sa_family_t;
    libc::sockaddr { sa_family, sa_data }
}
// ANCHOR_END: configure_eth0

// ANCHOR: without_ipv6
/// Switches IPv6 off. We assign no IPv6 addresses, but while it is on, a container can send a router advertisement, and
/// become the way out for the host and its neighbours (CVE-2020-13401). A firewall is less reliable: it can be flushed.
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
