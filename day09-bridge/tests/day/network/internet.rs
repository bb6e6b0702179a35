//! What is behind the test's host: a machine with a service and a DNS server, in a network namespace of its own.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process;
use std::sync::mpsc;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;

use crate::support::host;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Connects this test's host, as 192.0.2.1, with 192.0.2.2. Returns how to run a command there.
pub fn connect() -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let service = TcpListener::bind("0.0.0.0:8000").unwrap();
        let dns = UdpSocket::bind("0.0.0.0:53").unwrap();
        sender.send(gettid()).unwrap();
        thread::spawn(move || serve_names(&dns));
        serve(&service);
    });
    let thread = receiver.recv().unwrap();
    let inside = format!("nsenter --net=/proc/{}/task/{thread}/ns/net", process::id());
    host(&format!(
        "ip link add up0 type veth peer name up0 netns {thread}
        ip addr add 192.0.2.1/24 dev up0
        ip link set up0 up
        {inside} ip addr add {ADDRESS}/24 dev up0
        {inside} ip link set up0 up
        {inside} ip link set lo up"
    ));
    inside
}

/// Tells each who connects what their address is.
fn serve(service: &TcpListener) {
    loop {
        let (mut connection, from) = service.accept().unwrap();
        let _ = writeln!(connection, "hello {}", from.ip());
    }
}

/// Knows the address of internet.test, and no other name: RFC 1035.
fn serve_names(dns: &UdpSocket) {
    let mut question = [0; 512];
    loop {
        let (length, from) = dns.recv_from(&mut question).unwrap();
        let question = &question[..length];
        // Behind 12 bytes there is the name, ended by a zero, and what is asked about it.
        let end = 12 + question[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
        let known = question[12..].starts_with(b"\x08internet\x04test\0");
        let asked_for_ipv4 = question[end - 4..end] == [0, 1, 0, 1];
        let answers = u8::from(known && asked_for_ipv4);
        let mut answer = question[..2].to_vec();
        answer.extend([
            0x81,
            if known { 0x80 } else { 0x83 },
            0,
            1,
            0,
            answers,
            0,
            0,
            0,
            0,
        ]);
        answer.extend(&question[12..end]);
        if answers == 1 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(ADDRESS.octets());
        }
        dns.send_to(&answer, from).unwrap();
    }
}
