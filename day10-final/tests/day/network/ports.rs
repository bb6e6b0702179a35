//! `run -p`: ports on the host that lead to a container.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::network::bridge::{
    IPTABLES, is_installed, only, start_over, wait_until_none_is_connected,
};
use crate::network::internet;
use crate::support::{
    Detached, Running, Seen, as_ordinary_user, host, leave_to, records, see, skip, tiny_docker,
    wait_until,
};

/// Returns from a test, aloud, for all but root, and where there is nothing to serve and to lead with.
macro_rules! need_bridge {
    () => {
        need_namespaces!();
        if !geteuid().is_root() {
            return leave_to("root, to change the host's network");
        }
        if !is_installed("nft") || !is_installed("perl") {
            return skip("nft and perl: sudo apt install nftables perl");
        }
    };
}

/// Tell each who calls port 80 what their address is. (2 is AF_INET, 1 is SOCK_STREAM, 2 is SOCK_DGRAM.)
const TCP: &str = r#"socket(S, 2, 1, 0); bind(S, pack("S n x12", 2, 80)) or die $!; listen(S, 9); $| = 1; print "ready\n";
    while ($from = accept(C, S)) { print C join(".", unpack("x4 C4", $from)), "\n"; close C }"#;
const UDP: &str = r#"socket(S, 2, 2, 0); bind(S, pack("S n x12", 2, 80)) or die $!; $| = 1; print "ready\n";
    while ($from = recv(S, $text, 99, 0)) { send(S, join(".", unpack("x4 C4", $from)) . "\n", 0, $from) }"#;

const NFT: [&str; 2] = ["ip", "nft"];
const LEGACY: [&str; 3] = ["ip", "iptables-legacy", "iptables-legacy-restore"];

/// The programs of the host that can lead to a port, as far as there are any.
fn tools() -> Vec<TempDir> {
    let mut tools = vec![only(&NFT)];
    for iptables in [IPTABLES, LEGACY] {
        let mut works = Command::new(iptables[2]);
        works.args(["-t", "nat", "-S"]);
        match works.output().is_ok_and(|output| output.status.success()) {
            true => tools.push(only(&iptables)),
            false => skip("iptables, legacy and nft: sudo apt install iptables"),
        }
    }
    tools
}

/// A server, started with these `options` of `run`.
fn serve(server: &str, options: &[&str]) -> Detached {
    serve_with(
        Path::new(&std::env::var_os("PATH").unwrap()),
        server,
        options,
    )
}

/// The same, where the runtime has this PATH.
fn serve_with(path: &Path, server: &str, options: &[&str]) -> Detached {
    let arguments = [&["run", "-d"], options, &["perl", "-e", server]].concat();
    let seen: Seen = tiny_docker(&arguments)
        .env("PATH", path)
        .output()
        .unwrap()
        .into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let id = seen.stdout.trim().to_owned();
    let server = Detached { id };
    wait_until("the server", || {
        see(&["logs", &server.id]).stdout == "ready\n"
    });
    server
}

/// How to run a command in the network of this container.
fn inside(container: &Detached) -> String {
    format!("nsenter --net=/proc/{}/ns/net", container.pid())
}

/// What comes of a call to an `address`, as NAME/PORT, when it is made by way of `from`.
fn call(protocol: &str, from: &str, address: &str) -> String {
    call_within(20, protocol, from, address)
}

/// The same, where so many seconds without an answer are silence.
fn call_within(seconds: u32, protocol: &str, from: &str, address: &str) -> String {
    let line = match protocol {
        "udp" => format!("exec 3<>/dev/udp/{address} && echo >&3 && head -n 1 <&3"),
        _ => format!("exec 3<>/dev/tcp/{address} && cat <&3"),
    };
    let mut sh = Command::new("sh");
    sh.args(["-c", &format!("{from} timeout {seconds} bash -c '{line}'")]);
    let seen: Seen = sh.output().unwrap().into();
    match seen.code {
        Some(124) => "silence".to_owned(),
        _ if seen.stderr.contains("refused") => "refused".to_owned(),
        _ => seen.stdout.trim().to_owned(),
    }
}

/// The rules that lead to containers.
fn rules() -> String {
    host("nft list ruleset | grep 'dnat to' || true")
}

#[test]
fn a_published_port_is_reached_from_everywhere() {
    need_bridge!();
    let outside = internet::connect();
    let bridged = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    for path in tools() {
        for (protocol, server) in [("tcp", TCP), ("udp", UDP)] {
            let server = serve_with(path.path(), server, &["-p", &format!("8080:80/{protocol}")]);
            let neighbour = Detached::start(&["sleep", "1000"]);
            // Where the firewall sees the bridge's frames, and where it does not.
            for seen in ["1", "0"] {
                if bridged.exists() {
                    fs::write(bridged, seen).unwrap();
                }
                let call = |from: &str, address: &str| call(protocol, from, address);
                // The container sees the caller's address if answers find their way back.
                assert_eq!(call(&outside, "192.0.2.1/8080"), "192.0.2.2", "{protocol}");
                assert_eq!(call("", "192.0.2.1/8080"), "192.0.2.1", "{protocol}");
                assert_eq!(call("", "10.10.0.1/8080"), "10.10.0.1");
                assert_eq!(call("", "127.0.0.1/8080"), "10.10.0.1");
                for container in [&neighbour, &server] {
                    for address in ["192.0.2.1/8080", "10.10.0.1/8080"] {
                        // Twice: the host does not show a shorter way, on which nothing would answer.
                        for _ in 0..2 {
                            let seen = call(&inside(container), address);
                            assert_eq!(seen, "10.10.0.1", "{protocol} {address}");
                        }
                    }
                }
            }
            let ids = [server.id.as_str(), neighbour.id.as_str()];
            see(&[&["stop", "-t", "0"], &ids[..]].concat());
            start_over();
        }
    }
}

#[test]
fn other_ports_stay_closed() {
    need_bridge!();
    let outside = internet::connect();
    host(&format!(
        "{outside} ip route add 10.10.0.0/24 via 192.0.2.1"
    ));
    for path in tools() {
        let server = serve_with(path.path(), TCP, &["-p", "8080:80"]);
        assert_eq!(call("tcp", &outside, "192.0.2.1/8080"), "192.0.2.2");
        assert_eq!(call("tcp", &outside, "192.0.2.1/80"), "refused");
        assert_eq!(call_within(1, "tcp", &outside, "10.10.0.2/80"), "silence");
        assert_eq!(call_within(1, "udp", &outside, "10.10.0.2/80"), "silence");
        see(&["rm", "-f", &server.id]);
        start_over();
    }
}

#[test]
fn what_is_published_on_one_address_is_reached_there_only() {
    need_bridge!();
    let outside = internet::connect();
    host("ip addr add 192.0.2.3/24 dev up0");
    for path in tools() {
        let on_one = serve_with(path.path(), TCP, &["-p", "192.0.2.3:8080:80"]);
        let local = serve_with(path.path(), TCP, &["-p", "127.0.0.1:8081:80"]);
        assert_eq!(call("tcp", &outside, "192.0.2.3/8080"), "192.0.2.2");
        assert_eq!(call("tcp", &inside(&local), "192.0.2.3/8080"), "10.10.0.1");
        for address in ["192.0.2.1/8080", "127.0.0.1/8080"] {
            assert_eq!(call("tcp", "", address), "refused");
        }
        assert_eq!(call("tcp", "", "127.0.0.1/8081"), "10.10.0.1");
        for from in [&outside, &inside(&on_one), &inside(&local)] {
            assert_eq!(call("tcp", from, "192.0.2.1/8081"), "refused");
        }
        see(&["rm", "-f", &on_one.id, &local.id]);
        start_over();
    }
}

/// CVE-2020-8558, and what came to light about Docker's own ports for 127.0.0.1 later. There is nothing to flush that
/// would forbid it: the kernel takes such packets from nobody, as long as it is not told to.
#[test]
fn neither_containers_nor_neighbours_of_the_host_reach_its_loopback() {
    need_bridge!();
    let outside = internet::connect();
    let _own = TcpListener::bind("127.0.0.1:7000").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:7000").unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let heard = || datagrams.recv(&mut [0; 9]).is_ok();
    for path in tools() {
        let server = serve_with(
            path.path(),
            TCP,
            &["-p", "127.0.0.1:8081:80", "-p", "8080:80"],
        );
        // Whoever may change their network sends what is for 127.0.0.1 to the host.
        let attacks = [
            (inside(&server), gateway(&server), "eth0"),
            (outside.clone(), "192.0.2.1".to_owned(), "up0"),
        ];
        for (attacker, gateway, device) in &attacks {
            host(&format!(
                "{attacker} sh -ec 'echo 1 >/proc/sys/net/ipv4/conf/{device}/route_localnet
                ip addr flush dev lo
                ip route replace 127.0.0.0/8 via {gateway} dev {device}'"
            ));
            let local = host(&format!("{attacker} ip route get 127.0.0.1"));
            assert!(local.contains(gateway), "{local}");
        }
        let knock = "echo >/dev/udp/127.0.0.1/7000
            for port in 7000 8080 8081; do
                (timeout 1 bash -c \"exec 3<>/dev/tcp/127.0.0.1/$port\"; [ $? = 124 ] || echo $port answers) &
            done; wait";
        for harm in [
            "true",
            "nft flush ruleset; iptables-legacy -F; iptables-legacy -t nat -F; true",
        ] {
            host(harm);
            for (attacker, ..) in &attacks {
                let seen = host(&format!("{attacker} bash -c '{knock}'"));
                assert_eq!(seen, "", "{harm}: {attacker}");
            }
            assert!(!heard(), "{harm}");
            for port in [8080, 8081] {
                let seen = call("tcp", "", &format!("127.0.0.1/{port}"));
                assert_eq!(seen, "10.10.0.1", "{harm}: {port}");
            }
        }
        // The packets were on their way: they arrive where the kernel is told to take them.
        host("echo 1 >/proc/sys/net/ipv4/conf/td0/route_localnet");
        call_within(1, "udp", &attacks[0].0, "127.0.0.1/7000");
        assert!(heard());
        see(&["rm", "-f", &server.id]);
        start_over();
    }
}

/// The address of the host, as this container sees it.
fn gateway(container: &Detached) -> String {
    let route = host(&format!("{} ip route show default", inside(container)));
    route.split(' ').nth(2).unwrap().to_owned()
}

#[test]
fn a_port_that_is_taken_is_refused() {
    need_bridge!();
    let refused = |port: &str| {
        let before = records().len();
        let seen = see(&["run", "-p", port, "true"]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""), "{port}");
        assert_eq!(records().len(), before);
        seen.stderr
    };
    let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    let both = ["8080:80", "127.0.0.1:8080:80"].map(refused);
    assert_eq!(both[0], both[1]);
    assert_snapshot!(both[0], @"
    tiny-docker: cannot publish port 8080: Address already in use (os error 98)
    hint: -p 80 chooses a free port
    ");
    drop(listener);
    let listener = UdpSocket::bind("0.0.0.0:8080").unwrap();
    refused("127.0.0.1:8080:80/udp");
    drop(listener);
    wait_until_free(8080);
    assert_snapshot!(refused("192.0.2.77:8080:80"), @"tiny-docker: cannot publish port 8080: Cannot assign requested address (os error 99)");
    assert_eq!(host("ip -brief link").lines().count(), 1);

    // Nor can another container have it, or any program that asks as servers do.
    let container = Detached::start(&["-p", "8080:80", "-p", "9090:90/udp", "sleep", "1000"]);
    for ours in ["8080:80", "127.0.0.1:8080:80", "9090:90/udp"] {
        refused(ours);
    }
    assert!(TcpListener::bind("0.0.0.0:8080").is_err());
    assert!(TcpListener::bind("127.0.0.1:8080").is_err());
    assert!(UdpSocket::bind("127.0.0.1:9090").is_err());
    // The other protocol's are others.
    let other = Detached::start(&["-p", "8080:80/udp", "sleep", "1000"]);
    let seen = see(&["run", "-p", "81:80", "-p", "81:80", "true"]);
    assert_eq!(seen.code, Some(125));
    see(&["rm", "-f", &container.id, &other.id]);
    assert_eq!(see(&["run", "-p", "8080:80", "true"]).code, Some(0));
}

/// Another test may be starting a program at this moment, which has a copy of each of our sockets until its exec.
fn wait_until_free(port: u16) {
    wait_until("the port free", || {
        host(&format!("ss -Hltun sport = :{port}")).is_empty()
    });
}

#[test]
fn what_earlier_connections_have_left_is_no_hindrance() {
    need_bridge!();
    let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    let caller = std::net::TcpStream::connect("127.0.0.1:8080").unwrap();
    // Whoever hangs up first must wait: TIME_WAIT.
    drop(listener.accept().unwrap());
    drop(caller);
    drop(listener);
    wait_until("TIME_WAIT", || {
        host("ss -tan state time-wait").contains(":8080")
    });
    wait_until_free(8080);
    let seen = see(&["run", "-p", "8080:80", "true"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}

#[test]
fn ports_lead_to_their_containers_when_the_rules_are_gone_and_the_next_run_makes_these_again() {
    need_bridge!();
    let outside = internet::connect();
    for path in tools() {
        let tcp = serve_with(
            path.path(),
            TCP,
            &["-p", "8080:80", "-p", "127.0.0.1:81:80"],
        );
        let udp = serve_with(path.path(), UDP, &["-p", "8080:80/udp"]);
        let rules =
            || host("nft -s list ruleset; iptables-legacy-save 2>/dev/null | grep '^-' || true");
        let run = || {
            let mut run = tiny_docker(&["run", "--rm", "true"]);
            let seen: Seen = run.env("PATH", path.path()).output().unwrap().into();
            assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        };
        let before = rules();
        for harm in [
            "nft flush ruleset",
            "nft flush table ip tiny-docker-ports; true",
            "nft delete table ip tiny-docker-ports; true",
            "iptables -F; iptables -t nat -F; true",
            "iptables-legacy -F; iptables-legacy -t nat -F; true",
        ] {
            host(harm);
            for (protocol, from) in [
                ("tcp", ""),
                ("udp", ""),
                ("tcp", &outside),
                ("udp", &outside),
            ] {
                for _ in 0..2 {
                    let address = if from.is_empty() {
                        "127.0.0.1"
                    } else {
                        "192.0.2.1"
                    };
                    let seen = call(protocol, from, &format!("{address}/8080"));
                    assert!(
                        ["10.10.0.1", "192.0.2.2"].contains(&&*seen),
                        "{harm}: {seen}"
                    );
                }
            }
            run();
            // Whoever calls is seen again.
            for protocol in ["tcp", "udp"] {
                let seen = call(protocol, &outside, "192.0.2.1/8080");
                assert_eq!(seen, "192.0.2.2", "{harm}: {protocol}");
            }
            assert_eq!(count(&rules()), count(&before), "{harm}");
        }
        see(&["rm", "-f", &tcp.id, &udp.id]);
        start_over();
    }
}

/// A transaction of the firewall's takes as long as a whole container.
#[test]
fn what_is_there_is_not_made_again() {
    need_bridge!();
    let _server = serve(TCP, &["-p", "8080:80"]);
    let handles = || host("nft -a list ruleset | grep -v 'td0-[0-9]' || true");
    let before = handles();
    assert_eq!(see(&["run", "--rm", "true"]).code, Some(0));
    assert_eq!(handles(), before);
}

/// How often each rule is there, whatever number a veth has in it.
fn count(rules: &str) -> Vec<&str> {
    let lines = rules.lines().map(str::trim);
    let mut lines: Vec<_> = lines.filter(|line| !line.contains("td0-")).collect();
    lines.sort();
    lines
}

#[test]
fn calls_at_the_same_time_do_not_wait_for_each_other() {
    need_bridge!();
    // Says what it hears, in capital letters, when it has heard all.
    let serve = r#"socket(S, 2, 1, 0); bind(S, pack("S n x12", 2, 80)) or die $!; listen(S, 99); $| = 1; print "ready\n";
        while (accept(C, S)) { if (!fork) { local $/; print C uc <C>; exit } close C }"#;
    let _server = serve_with(
        Path::new(&std::env::var_os("PATH").unwrap()),
        serve,
        &["-p", "127.0.0.1:8080:80"],
    );
    let mut calls: Vec<_> = (0..20)
        .map(|_| TcpStream::connect("127.0.0.1:8080").unwrap())
        .collect();
    // The last one first.
    for call in calls.iter_mut().rev() {
        call.write_all(&b"hello ".repeat(100_000)).unwrap();
        call.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        call.read_to_end(&mut answer).unwrap();
        assert!(answer == b"HELLO ".repeat(100_000));
    }
}

#[test]
fn whoever_calls_without_an_end_keeps_no_file_from_the_supervisor() {
    need_bridge!();
    let server = serve(
        TCP,
        &["-p", "127.0.0.1:8080:80", "-p", "127.0.0.1:8080:80/udp"],
    );
    let calls: Vec<_> = (0..400)
        .map(|_| TcpStream::connect("127.0.0.1:8080").unwrap())
        .collect();
    for _ in 0..400 {
        let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
        caller.send_to(b"?", "127.0.0.1:8080").unwrap();
    }
    let files = format!("/proc/{}/fd", server.supervisor());
    assert!(fs::read_dir(files).unwrap().count() < 700);
    drop(calls);
    wait_until("an answer", || {
        call("tcp", "", "127.0.0.1/8080") == "10.10.0.1"
    });
    assert_eq!(see(&["stop", "-t", "0", &server.id]).code, Some(0));
    assert_eq!(server.record()["exit_code"], 137);
}

#[test]
fn the_kernel_chooses_a_port_where_none_is_given() {
    need_bridge!();
    let server = serve(TCP, &["-p", "80", "--publish", "127.0.0.1::80"]);
    let ports = server.record()["ports"].clone();
    for (port, ip) in ports
        .as_array()
        .unwrap()
        .iter()
        .zip(["0.0.0.0", "127.0.0.1"])
    {
        assert_eq!(
            (port["ip"].as_str(), port["container"].as_u64()),
            (Some(ip), Some(80))
        );
        let seen = call("tcp", "", &format!("127.0.0.1/{}", port["host"]));
        assert_eq!(seen, "10.10.0.1");
    }
}

#[test]
fn ps_and_inspect_show_the_ports_while_they_lead_there() {
    need_bridge!();
    let ports = ["-p", "9000:90/udp", "-p", "127.0.0.1:8080:80"];
    let container = Detached::start(&[&ports[..], &["sleep", "1000"]].concat());
    let shown = "127.0.0.1:8080->80/tcp, 0.0.0.0:9000->90/udp";
    assert!(see(&["ps"]).stdout.contains(shown));
    let inspected = || -> serde_json::Value {
        let seen = see(&["inspect", &container.id]);
        serde_json::from_str(&seen.stdout).unwrap()
    };
    let ports = inspected()[0]["NetworkSettings"]["Ports"].clone();
    assert_eq!(ports["80/tcp"][0]["HostIp"], "127.0.0.1");
    assert_eq!(ports["90/udp"][0]["HostPort"], "9000");
    see(&["stop", "-t", "0", &container.id]);
    assert!(!see(&["ps", "-a"]).stdout.contains("8080"));
    let inspected = inspected();
    assert_eq!(
        inspected[0]["NetworkSettings"]["Ports"],
        serde_json::json!({})
    );
    assert_eq!(inspected[0]["HostConfig"]["PortBindings"], ports);
}

#[test]
fn ports_that_cannot_be_are_refused() {
    let refused = |ports| {
        let seen = see(&["run", "-p", ports, "true"]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
        seen.stderr.lines().next().unwrap().to_owned() + "\n"
    };
    let ports = [
        "",
        "a:b",
        "99999:1",
        "0:80",
        "80:",
        "80:0",
        "80:80/sctp",
        "80-81:80-81",
        "300.1.1.1:80:80",
        "localhost:80:80",
        "[::1]:80:80",
        "1:2:3:4",
    ];
    assert_snapshot!(ports.map(refused).concat(), @"
    error: invalid value '' for '--publish <PORTS>': '' is not a port number from 1 to 65535
    error: invalid value 'a:b' for '--publish <PORTS>': 'a' is not a port number from 1 to 65535
    error: invalid value '99999:1' for '--publish <PORTS>': '99999' is not a port number from 1 to 65535
    error: invalid value '0:80' for '--publish <PORTS>': '0' is not a port number from 1 to 65535
    error: invalid value '80:' for '--publish <PORTS>': '' is not a port number from 1 to 65535
    error: invalid value '80:0' for '--publish <PORTS>': '0' is not a port number from 1 to 65535
    error: invalid value '80:80/sctp' for '--publish <PORTS>': only /tcp and /udp can be published
    error: invalid value '80-81:80-81' for '--publish <PORTS>': port ranges are not supported; use one -p for each port
    error: invalid value '300.1.1.1:80:80' for '--publish <PORTS>': 300.1.1.1 is not an IPv4 address
    error: invalid value 'localhost:80:80' for '--publish <PORTS>': localhost is not an IPv4 address
    error: invalid value '[::1]:80:80' for '--publish <PORTS>': only IPv4 addresses can be published
    error: invalid value '1:2:3:4' for '--publish <PORTS>': expected IP:HOST:CONTAINER, HOST:CONTAINER or CONTAINER
    ");
}

#[test]
fn without_the_bridge_nothing_can_be_published() {
    need_bridge!();
    let seen = see(&["run", "--net", "isolated", "-p", "80:80", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot publish ports: a container with --net isolated cannot be reached
    hint: use --net bridge
    ");
    assert!(records().is_empty());
    // As Docker does.
    let seen = see(&["run", "--net", "host", "-p", "80:80", "echo", "hello"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "hello\n"));
    assert_snapshot!(seen.stderr, @"tiny-docker: -p has no effect with --net host: the container uses the host's ports");
    let path = only(&["ip"]);
    let seen: Seen = tiny_docker(&["run", "-p", "80:80", "true"])
        .env("PATH", path.path())
        .output()
        .unwrap()
        .into();
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot use --net bridge: cannot publish ports: neither nft nor iptables is in PATH
    hint: install nftables
    ");
    start_over();
}

#[test]
fn an_ordinary_user_publishes_nothing() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let seen: Seen = as_ordinary_user(home.path(), &["run", "-p", "8080:80", "true"])
        .env("HOME", home.path())
        .output()
        .unwrap()
        .into();
    assert_eq!(seen.code, Some(125));
    let lines: Vec<_> = seen
        .stderr
        .lines()
        .filter(|line| !line.contains("building"))
        .collect();
    let program = as_ordinary_user(home.path(), &[]);
    let program = program.get_program().to_str().unwrap();
    assert_snapshot!(lines.join("\n").replace(program, "PROGRAM"), @"
    tiny-docker: cannot publish ports: only root may change the host's network
    hint: sudo PROGRAM run …, or use --net host, which needs no published ports
    ");
}

#[test]
fn the_rules_go_with_the_container() {
    need_bridge!();
    for path in tools() {
        let list = || host("nft list ruleset; iptables-legacy-save 2>/dev/null || true");
        let leads = || {
            list()
                .lines()
                .any(|line| line.contains(":80") && line.contains("10.10.0."))
        };
        let other = serve_with(path.path(), TCP, &[]);
        for end in [&["stop", "-t", "0"][..], &["rm", "-f"], &["kill"]] {
            let server = serve_with(path.path(), TCP, &["-p", "8080:80"]);
            assert!(leads(), "{}", list());
            assert_eq!(see(&[end, &[&server.id]].concat()).code, Some(0));
            if end == ["kill"] {
                server.wait_for_its_end();
            }
            // When the command returns, and not some time later.
            assert!(!leads(), "{end:?}: {}", list());
        }
        let run = |arguments: &[&str]| {
            tiny_docker(arguments)
                .env("PATH", path.path())
                .output()
                .unwrap()
        };
        run(&["run", "-p", "8080:80", "true"]);
        assert!(!leads());
        run(&["run", "-p", "8080:80", "/no-such-command"]);
        assert!(!leads());
        see(&["rm", "-f", &other.id]);
        start_over();
    }
}

#[test]
fn where_the_supervisor_was_killed_the_port_leads_there_until_the_container_ends() {
    need_bridge!();
    for path in tools() {
        let run = || {
            let mut run = tiny_docker(&["run", "--rm", "true"]);
            run.env("PATH", path.path()).output().unwrap();
        };
        let server = serve_with(path.path(), TCP, &["-p", "8080:80"]);
        kill(Pid::from_raw(server.supervisor()), Signal::SIGKILL).unwrap();
        run();
        assert_eq!(call("tcp", "", "10.10.0.1/8080"), "10.10.0.1");
        kill(Pid::from_raw(server.pid()), Signal::SIGKILL).unwrap();
        wait_until_none_is_connected();
        // The next container has nothing to do with the port.
        run();
        assert_eq!(call("tcp", "", "10.10.0.1/8080"), "refused");
        start_over();
    }
}

#[test]
fn a_killed_run_leaves_the_port_to_the_next_one() {
    need_bridge!();
    let other = serve(TCP, &[]);
    let mut run = Running::start(&mut tiny_docker(&["run", "-p", "8080:80", "sleep", "1000"]));
    wait_until("it running", || see(&["ps"]).stdout.contains("sleep 1000"));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    let _server = serve(TCP, &["-p", "8080:80"]);
    assert_eq!(call("tcp", "", "10.10.0.1/8080"), "10.10.0.1");
    // The first one's veth may have been there still.
    wait_until("its veth gone", || !host("ip link").contains("td0-3"));
    assert_eq!(see(&["run", "true"]).code, Some(0));
    assert_eq!(rules().lines().count(), 1);
    drop(other);
}

/// With conntrack, the host forgets whom it has led there. Without, the next container has another address.
#[test]
fn whoever_goes_on_sending_does_not_reach_the_next_container() {
    need_bridge!();
    let caller = |address: &str| {
        let caller = UdpSocket::bind((address, 0)).unwrap();
        caller.set_nonblocking(true).unwrap();
        caller
    };
    let answer = |caller: &UdpSocket| {
        // That nobody was there, they are told with the next call.
        let _ = caller.send_to(b"?", "127.0.0.1:8080");
        let _ = caller.send_to(b"?", "10.10.0.1:8080");
        caller.recv(&mut [0; 99]).is_ok()
    };
    let other = Detached::start(&["sleep", "1000"]);
    let (early, local) = (caller("10.10.0.1"), caller("127.0.0.1"));
    assert!(!answer(&early) && !answer(&local));
    let server = serve(UDP, &["-p", "8080:80/udp"]);
    for caller in [&early, &local] {
        // Although the host knows that this call was for itself.
        wait_until("an answer", || answer(caller));
    }
    see(&["rm", "-f", &server.id]);
    let next = serve(UDP, &[]);
    assert_ne!(next.record()["address"], "10.10.0.3");
    for caller in [&early, &local] {
        while caller.recv(&mut [0; 99]).is_ok() {}
        let _ = answer(caller);
    }
    // What it says here is that somebody else has called.
    assert_eq!(call("udp", "", "10.10.0.4/80"), "10.10.0.1");
    for caller in [&early, &local] {
        assert!(caller.recv(&mut [0; 99]).is_err());
    }
    drop(other);
}
