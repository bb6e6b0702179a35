//! Answers calls to published ports that no rule redirects: those to 127.0.0.1, and all others while the rules are
//! gone.
//!
//! A rule could handle 127.0.0.1, too, if the kernel let such packets out to the bridge. But the switch for that,
//! route_localnet, lets them in as well: once somebody flushes the rules that forbid it, a container could reach what
//! the host offers only to itself (CVE-2020-8558). So the supervisor itself calls the container.

use std::collections::HashMap;
use std::io::{self, PipeReader, PipeWriter};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::network::ports::{Ports, Protocol};

/// The limit on simultaneous calls, since the supervisor needs descriptors, too. It hangs up on any more.
const CALLS: usize = 256;

/// After this much silence from the container, a UDP caller counts as gone.
const SILENCE: Duration = Duration::from_secs(90);

/// How long to wait if the host has no memory or no descriptors left for another call.
const PAUSE: Duration = Duration::from_millis(100);

/// The stack size of a thread, in bytes; it needs less.
const STACK: usize = 1 << 17;

/// More than the size of any datagram.
const DATAGRAM: usize = 1 << 16;

// ANCHOR: start
/// Serves the ports of a container. When it is dropped, they are free again.
pub struct Proxy {
    threads: Vec<JoinHandle<()>>,
    /// The threads have the other end, which tells them when this one is closed.
    life: Option<PipeWriter>,
}

impl Proxy {
    /// Connects the sockets that have been [reserved](Ports::reserve) for `ports` with the container's `address`.
    pub fn start(reserved: Vec<OwnedFd>, ports: &Ports, address: Ipv4Addr) -> Result<Self> {
        let (end, life) = io::pipe().context("cannot create a pipe")?;
        let mut proxy = Self {
            threads: Vec::new(),
            life: Some(life),
        };
        // Each call has a copy of it.
        let calls = Arc::new(());
        for (socket, port) in reserved.into_iter().zip(&ports.publish) {
            let end = end.try_clone().context("cannot copy a pipe")?;
            let (calls, to) = (
                Arc::clone(&calls),
                SocketAddrV4::new(address, port.container),
            );
            let thread = match port.protocol {
                Protocol::Tcp => {
                    in_background(move || connect_callers(&socket.into(), to, &end, &calls))
                }
                Protocol::Udp => {
                    in_background(move || pass_on_datagrams(socket.into(), to, &end, &calls))
                }
            };
            proxy.threads.push(thread.context("cannot start a thread")?);
        }
        Ok(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.life = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn in_background(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().stack_size(STACK).spawn(work)
}

/// Waits until there is something to read from `socket`. Returns false if the proxy should end.
fn wait(socket: impl AsFd, end: &PipeReader) -> bool {
    let mut files = [
        PollFd::new(socket.as_fd(), PollFlags::POLLIN),
        PollFd::new(end.as_fd(), PollFlags::POLLIN),
    ];
    let _ = poll(&mut files, PollTimeout::NONE);
    !files[1].any().unwrap_or(true)
}
// ANCHOR_END: start

// ANCHOR: tcp
fn connect_callers(listener: &TcpListener, to: SocketAddrV4, end: &PipeReader, calls: &Arc<()>) {
    // If a caller has hung up meanwhile, accept must not wait for the next one.
    let _ = listener.set_nonblocking(true);
    while wait(listener, end) {
        let Ok((caller, _)) = listener.accept() else {
            sleep(PAUSE);
            continue;
        };
        let call = Arc::clone(calls);
        if Arc::strong_count(calls) <= CALLS {
            let _ = in_background(move || {
                let _ = connect(&caller, to);
                drop(call);
            });
        }
    }
}

/// Copies what each side sends to the other, until both have finished. If anything fails, both connections are closed.
fn connect(caller: &TcpStream, to: SocketAddrV4) -> io::Result<()> {
    let container = &TcpStream::connect(to)?;
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        thread.spawn_scoped(scope, || hand_on(container, caller))?;
        hand_on(caller, container);
        Ok(())
    })
}

fn hand_on(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = to.set_nodelay(true);
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
// ANCHOR_END: tcp

// ANCHOR: udp
/// Each caller gets its own socket towards the container. Whatever arrives on that socket is the answer to this caller.
fn pass_on_datagrams(socket: UdpSocket, to: SocketAddrV4, end: &PipeReader, calls: &Arc<()>) {
    let _ = socket.set_nonblocking(true);
    let socket = Arc::new(socket);
    let mut callers: HashMap<SocketAddr, Weak<UdpSocket>> = HashMap::new();
    let mut datagram = vec![0; DATAGRAM];
    while wait(&*socket, end) {
        let Ok((length, caller)) = socket.recv_from(&mut datagram) else {
            sleep(PAUSE);
            continue;
        };
        let mut line = callers.get(&caller).and_then(Weak::upgrade);
        if line.is_none() && Arc::strong_count(calls) <= CALLS {
            callers.retain(|_, line| line.strong_count() > 0);
            line = pass_on_answers(&socket, caller, to, Arc::clone(calls)).ok();
        }
        if let Some(line) = line {
            let _ = line.send(&datagram[..length]);
            callers.insert(caller, Arc::downgrade(&line));
        }
    }
}

fn pass_on_answers(
    socket: &Arc<UdpSocket>,
    caller: SocketAddr,
    to: SocketAddrV4,
    call: Arc<()>,
) -> io::Result<Arc<UdpSocket>> {
    let line = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?);
    line.connect(to)?;
    line.set_read_timeout(Some(SILENCE))?;
    let (answers, socket) = (Arc::clone(&line), Arc::downgrade(socket));
    in_background(move || {
        let mut answer = vec![0; DATAGRAM];
        // It is also an error if nobody listens there. The next datagram opens another socket.
        while let Ok(length) = answers.recv(&mut answer) {
            let Some(socket) = socket.upgrade() else {
                break;
            };
            let _ = socket.send_to(&answer[..length], caller);
        }
        drop(call);
    })?;
    Ok(line)
}
// ANCHOR_END: udp
