//! `--net isolated` and `--net host`.

pub mod bridge;
pub mod etc;
pub mod internet;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use insta::assert_snapshot;
use nix::unistd::geteuid;

use crate::need_namespaces;
use crate::support::{Detached, leave_to, records, see, shell, wait_until};

/// What connects to a port of 127.0.0.1, and says so.
fn connect(port: u16) -> String {
    format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected")
}

#[test]
fn there_is_nothing_but_loopback() {
    need_namespaces!();
    for options in [
        &["run", "--net", "isolated"][..],
        &["run", "--net", "none"],
        &["run", "--network", "none"],
    ] {
        let seen = see(&[options, &["ip", "-brief", "link"]].concat());
        assert_eq!(
            seen.stdout.lines().count(),
            1,
            "{}{}",
            seen.stdout,
            seen.stderr
        );
        assert!(seen.stdout.starts_with("lo "), "{}", seen.stdout);
    }
    let seen = see(&["run", "--net", "isolated", "ip", "route"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), ""));
}

#[test]
fn loopback_is_up() {
    need_namespaces!();
    let seen = see(&[
        "run", "--net", "isolated", "ip", "-4", "-brief", "address", "show", "up",
    ]);
    assert!(seen.stdout.contains("127.0.0.1/8"), "{}", seen.stdout);
    // Somebody answers: that nobody listens there.
    let seen = see(&["run", "--net", "isolated", "bash", "-c", &connect(1)]);
    assert!(
        seen.stderr.contains("Connection refused"),
        "{}",
        seen.stderr
    );
}

/// As in a container of Docker's that was given SYS_ADMIN alone.
#[test]
fn root_without_net_admin_is_told_what_helps() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to drop a capability");
    }
    let run = "setpriv --bounding-set=-net_admin $TD run --net";
    let seen = shell(&format!("{run} isolated true"));
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot bring up the loopback device: Operation not permitted (os error 1)
    hint: use --net host; if this is a container, start it with --cap-add NET_ADMIN
    ");
    let seen = shell(&format!("{run} bridge true"));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot use --net bridge: ip: RTNETLINK answers: Operation not permitted
    hint: use --net isolated, which needs no bridge
    ");
    assert_eq!(shell(&format!("{run} host true")).code, Some(0));
}

#[test]
fn localhost_is_a_name() {
    need_namespaces!();
    for net in ["isolated", "host"] {
        let seen = see(&["run", "--net", net, "getent", "ahosts", "localhost"]);
        let known = seen.stdout.starts_with("127.0.0.1 ") || seen.stdout.starts_with("::1 ");
        assert!(known, "{net}: {}{}", seen.stdout, seen.stderr);
    }
}

#[test]
fn the_hosts_ports_cannot_be_reached() {
    need_namespaces!();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let connect = connect(listener.local_addr().unwrap().port());
    let seen = see(&["run", "--net", "isolated", "bash", "-c", &connect]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    let seen = see(&["run", "--net", "host", "bash", "-c", &connect]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "connected\n"));
}

#[test]
fn the_hosts_abstract_sockets_cannot_be_seen() {
    need_namespaces!();
    let name = format!("tiny-docker-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let look = ["cat", "/proc/net/unix"];
    assert!(
        !see(&[&["run", "--net", "isolated"], &look[..]].concat())
            .stdout
            .contains(&name)
    );
    assert!(
        see(&[&["run", "--net", "host"], &look[..]].concat())
            .stdout
            .contains(&name)
    );
}

#[test]
fn two_containers_can_have_the_same_port() {
    need_namespaces!();
    // 2 is AF_INET, 1 is SOCK_STREAM; the address is any.
    let listen = r#"socket(S, 2, 1, 0); bind(S, pack("S n x12", 2, 80)) or die $!; listen(S, 1);
        $| = 1; print "listening\n"; sleep 1000"#;
    if see(&["run", "perl", "-e", "1"]).code == Some(127) {
        return crate::support::skip("perl: sudo apt install perl");
    }
    let start = || Detached::start(&["--net", "isolated", "perl", "-e", listen]);
    for container in [start(), start()] {
        wait_until("it listening", || {
            see(&["logs", &container.id]).stdout == "listening\n"
        });
    }
}

#[test]
fn host_is_the_hosts() {
    need_namespaces!();
    let seen = see(&["run", "--net", "host", "readlink", "/proc/self/ns/net"]);
    let ours = fs::read_link("/proc/thread-self/ns/net").unwrap();
    assert_eq!(seen.stdout.trim(), ours.to_str().unwrap());
}

#[test]
fn the_record_tells_the_network() {
    need_namespaces!();
    let container = Detached::start(&["--net", "none", "sleep", "1000"]);
    assert_eq!(container.record()["net"], "isolated");
    let container = Detached::start(&["--net", "host", "sleep", "1000"]);
    assert_eq!(container.record()["net"], "host");
}

#[test]
fn a_network_that_there_is_not_is_refused() {
    let seen = see(&["run", "--net", "nowhere", "true"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(2), ""));
    assert_snapshot!(seen.stderr, @"
    error: invalid value 'nowhere' for '--net <NET>'
      [possible values: bridge, isolated, host]

    For more information, try '--help'.
    ");
    assert!(records().is_empty());
}
