//! Network devices: netdevice(7). Only this room uses them, and they use none of the others.

use std::io;
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
