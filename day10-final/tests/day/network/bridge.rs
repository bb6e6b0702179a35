//! `--net bridge`.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Write, read_to_string};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use insta::assert_snapshot;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use crate::need_namespaces;
use crate::network::internet;
use crate::support::{
    Detached, LOCK, Running, Seen, TINY_DOCKER, as_ordinary_user, host, inspect, leave_to,
    processes_with, records, see, skip, state, tiny_docker, wait_until, write_program,
};

/// Returns from a test, aloud, for all but root.
macro_rules! need_bridge {
    () => {
        need_namespaces!();
        if !geteuid().is_root() {
            return leave_to("root, to change the host's network");
        }
    };
}

/// Returns from a test, aloud, where one of the programs is not installed.
macro_rules! need {
    ($($program:literal),*) => {
        $(if !is_installed($program) { return skip(concat!($program, ": sudo apt install nftables iptables perl")); })*
    };
}

pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

/// What the container reads from a TCP service at `address`, as NAME/PORT.
pub fn read_from(address: &str) -> String {
    format!("exec 3<>/dev/tcp/{address} && cat <&3")
}

/// Runs the line in a container.
fn run(line: &str) -> Seen {
    see(&["run", "bash", "-c", line])
}

/// What there is on the host of what belongs to our network.
fn ours_on_the_host() -> String {
    let links = host("ip -oneline link show | grep -o ' td0[^:@ ]*' || true");
    let rules = match is_installed("nft") {
        true => host("nft list ruleset | grep -e tiny-docker -e td0 -e TINY || true"),
        false => String::new(),
    };
    links + &rules
}

fn forwards() -> String {
    host("cat /proc/sys/net/ipv4/ip_forward").trim().to_owned()
}

/// What the kernel does a moment after the end of a container.
pub fn wait_until_none_is_connected() {
    wait_until("no veth on the host", || !host("ip link").contains("td0-"));
}

/// All rules, in whatever order their tables are, whichever addresses containers have, and however much they were used.
fn ruleset() -> String {
    let uncounted = "s/packets [0-9]* bytes [0-9]*//";
    host(&format!(
        "nft list ruleset | grep -v 'td0-[0-9]' | sed '{uncounted}' | sort"
    ))
}

/// Until none of our processes is left on this test's host.
fn wait_until_all_have_ended() {
    let network = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let is_ours = |pid: &i32| {
        let link = |name| fs::read_link(format!("/proc/{pid}/{name}")).ok();
        link("ns/net").as_ref() == Some(&network)
            && link("exe").as_deref() == Some(TINY_DOCKER.as_ref())
    };
    wait_until("the end of our processes", || {
        !processes_with("").iter().any(is_ours)
    });
}

/// This test's host as if it never had a container, or any rule.
pub fn start_over() {
    wait_until_none_is_connected();
    host(
        "ip link del td0
        if command -v nft >/dev/null; then nft flush ruleset; fi
        if [ -s /proc/net/ip_tables_names ]; then
            for table in nat filter; do
                iptables-legacy -t $table -F; iptables-legacy -t $table -X
            done 2>/dev/null
        fi; true",
    );
}

/// A server on port 80 of a container.
fn server() -> Detached {
    server_with(Path::new(&std::env::var_os("PATH").unwrap()))
}

/// The same, where the runtime has this PATH.
fn server_with(path: &Path) -> Detached {
    // 2 is AF_INET, 1 is SOCK_STREAM; the address is any.
    let serve = r#"socket(S, 2, 1, 0); bind(S, pack("S n x12", 2, 80)) or die $!; listen(S, 9);
        $| = 1; print "ready\n"; while (accept(C, S)) { print C "served\n"; close C }"#;
    let mut run = tiny_docker(&["run", "-d", "perl", "-e", serve]);
    let id = run.env("PATH", path).output().unwrap().stdout;
    let server = Detached {
        id: String::from_utf8(id).unwrap().trim().to_owned(),
    };
    wait_until("the server", || {
        see(&["logs", &server.id]).stdout == "ready\n"
    });
    server
}

/// What there has to be where there is no nft.
pub const IPTABLES: [&str; 3] = ["ip", "iptables", "iptables-restore"];

fn address(container: &Detached) -> String {
    container.record()["address"].as_str().unwrap().to_owned()
}

#[test]
fn the_default_network_works_on_a_host_that_never_had_it() {
    need_bridge!();
    assert_eq!(ours_on_the_host(), "");
    let seen = see(&[
        "run",
        "sh",
        "-c",
        "ip -4 -oneline address show eth0; ip route",
    ]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert!(seen.stdout.contains(" 10.10.0.2/24 "), "{}", seen.stdout);
    assert!(
        seen.stdout.contains("default via 10.10.0.1 dev eth0"),
        "{}",
        seen.stdout
    );
}

#[test]
fn a_container_reaches_the_gateway_its_neighbour_and_the_outside() {
    need_bridge!();
    need!("nft", "perl");
    internet::connect();
    let gateway = run("exec 3<>/dev/tcp/10.10.0.1/1");
    assert!(
        gateway.stderr.contains("Connection refused"),
        "{}",
        gateway.stderr
    );
    let server = server();
    assert_eq!(
        run(&read_from(&format!("{}/80", address(&server)))).stdout,
        "served\n"
    );
    // The outside sees the host. (That has a route for the rest of the world, too, as most have.)
    host("ip route add default via 192.0.2.2");
    let outside = run(&read_from("192.0.2.2/8000"));
    assert_eq!(outside.stdout, "hello 192.0.2.1\n", "{}", outside.stderr);
}

#[test]
fn only_answers_come_in_from_the_outside() {
    need_bridge!();
    need!("nft", "iptables", "perl");
    let outside = internet::connect();
    host(&format!(
        "{outside} ip route add 10.10.0.0/24 via 192.0.2.1"
    ));
    for tools in [&["ip", "nft"][..], &IPTABLES] {
        let path = only(tools);
        let server = server_with(path.path());
        let read = read_from(&format!("{}/80", address(&server)));
        assert_eq!(host(&format!("bash -c '{read}'")), "served\n");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{outside} timeout 2 bash -c '{read}'")]);
        let seen: Seen = command.output().unwrap().into();
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(124), ""));
        see(&["stop", "-t", "0", &server.id]);
        start_over();
    }
}

/// In a mount namespace of this test, `/etc/resolv.conf` says this.
fn with_resolv_conf(text: &str) {
    let file = state().join("resolv.conf");
    fs::write(&file, text).unwrap();
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let (flags, nothing) = (MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>);
    mount(nothing, "/", nothing, flags, nothing).unwrap();
    mount(
        Some(&file),
        "/etc/resolv.conf",
        nothing,
        MsFlags::MS_BIND,
        nothing,
    )
    .unwrap();
}

#[test]
fn names_are_looked_up_at_the_hosts_server() {
    need_bridge!();
    need!("nft");
    internet::connect();
    with_resolv_conf("search test\nnameserver 192.0.2.2\n");
    let seen = run(&read_from("internet.test/8000"));
    assert_eq!(seen.stdout, "hello 192.0.2.1\n", "{}", seen.stderr);
    assert_eq!(
        run("getent hosts internet").stdout,
        "192.0.2.2       internet.test\n"
    );
    assert_eq!(run("getent hosts nobody.test").code, Some(2));
    // Its own name is in /etc/hosts, and localhost too.
    let own = run("getent hosts $HOSTNAME").stdout;
    assert!(
        own.starts_with("10.10.0.") && own.ends_with(" tiny-container\n"),
        "{own}"
    );
    assert!(run("getent hosts localhost").stdout.contains("localhost"));
}

#[test]
fn a_server_on_the_hosts_loopback_is_left_out() {
    need_bridge!();
    with_resolv_conf("nameserver 127.0.0.53\nnameserver ::1\noptions edns0\n");
    let seen = see(&["run", "--net", "host", "cat", "/etc/resolv.conf"]);
    assert_eq!(seen.stdout, fs::read_to_string("/etc/resolv.conf").unwrap());
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    let seen = run("cat /etc/resolv.conf");
    assert_eq!(seen.stdout, "");
    assert_snapshot!(seen.stderr, @"tiny-docker: none of this host's DNS servers can be reached from a container");
    fs::create_dir_all("/run/systemd/resolve").unwrap();
    fs::write("/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.7\n").unwrap();
    let seen = run("cat /etc/resolv.conf");
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("nameserver 192.0.2.7\n", "")
    );
}

#[test]
fn servers_are_found_in_lines_of_any_form() {
    need_bridge!();
    with_resolv_conf(
        "; of the test\nsearch test\nnameserver 127.0.0.53 # comment\nnameserver\t127.1.2.3\nnameserver   127.0.0.1;\n\
        nameserver ::1\nnameserver fe80::1%eth0\nnameserver 0.0.0.0\nnameserver \t 192.0.2.2\t# comment\n\
        nameserver 192.0.2.3;comment\nnameservers 127.0.0.1\noptions edns0\n",
    );
    assert_snapshot!(run("cat /etc/resolv.conf").stdout, @"
    ; of the test
    search test
    nameserver 	 192.0.2.2	# comment
    nameserver 192.0.2.3;comment
    nameservers 127.0.0.1
    options edns0
    ");
}

#[test]
fn hosts_and_hostname_are_the_containers() {
    need_bridge!();
    let seen = see(&[
        "run",
        "--hostname",
        "web",
        "cat",
        "/etc/hosts",
        "/etc/hostname",
    ]);
    assert_snapshot!(seen.stdout, @"
    127.0.0.1	localhost
    ::1	localhost
    10.10.0.2	web
    web
    ");
}

#[test]
fn inspect_shows_the_address_while_it_is_the_containers() {
    need_bridge!();
    let container = Detached::start(&["sleep", "1000"]);
    let network = || inspect(&container.id)["NetworkSettings"].to_string();
    assert_snapshot!(network(), @r#"{"Gateway":"10.10.0.1","IPAddress":"10.10.0.2","MacAddress":"02:42:0a:0a:00:02","Ports":{}}"#);
    see(&["stop", "-t", "0", &container.id]);
    assert_snapshot!(network(), @r#"{"Gateway":"","IPAddress":"","MacAddress":"","Ports":{}}"#);
}

#[test]
fn two_hundred_and_fifty_three_have_different_addresses() {
    need_bridge!();
    let start = |_| {
        let mut run = tiny_docker(&["run", "-d", "sleep", "1000"]);
        // They tell whom they wait for.
        Running::start(run.stderr(Stdio::null()))
    };
    let starting: Vec<_> = (0..253).map(start).collect();
    let mut containers = Vec::new();
    for caller in starting {
        let mut caller = caller;
        let output = std::io::read_to_string(caller.0.stdout.take().unwrap()).unwrap();
        assert_eq!(caller.0.wait().unwrap().code(), Some(0));
        containers.push(Detached {
            id: output.trim().to_owned(),
        });
    }
    let mut addresses: Vec<_> = containers.iter().map(address).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 253);
    let seen = see(&["run", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot use --net bridge: all addresses in 10.10.0.0/24 are in use
    hint: stop a container first (tiny-docker ps lists them)
    ");
    let ids: Vec<_> = containers
        .iter()
        .map(|container| container.id.as_str())
        .collect();
    assert_eq!(
        see(&[&["stop", "-t", "0"], &ids[..]].concat()).code,
        Some(0)
    );
    wait_until_none_is_connected();
}

#[test]
fn a_run_says_whom_it_waits_for_when_the_network_is_locked() {
    need_bridge!();
    let lock = File::open(LOCK).unwrap();
    lock.lock().unwrap();
    let mut run = tiny_docker(&["run", "true"]);
    let mut run = Running::start(run.stderr(Stdio::piped()));
    let mut stderr = BufReader::new(run.0.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let this = std::process::id();
    assert_eq!(
        line,
        format!("tiny-docker: waiting for {LOCK}: process {this} holds the lock\n")
    );
    lock.unlock().unwrap();
    assert_eq!(run.0.wait().unwrap().code(), Some(0));
}

#[test]
fn an_address_comes_back_however_its_container_ends() {
    need_bridge!();
    let start = || Detached::start(&["--subnet", "10.20.0.0/29", "sleep", "1000"]);
    let mut containers: Vec<_> = (0..5).map(|_| start()).collect();
    let full = see(&["run", "--subnet", "10.20.0.0/29", "true"]);
    assert!(
        full.stderr
            .contains("all addresses in 10.20.0.0/29 are in use"),
        "{}",
        full.stderr
    );
    let end = |number: i32, container: &Detached| {
        let pid = Pid::from_raw(container.pid());
        match number {
            0 => assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0)),
            1 => kill(pid, Signal::SIGKILL).unwrap(),
            _ => {
                kill(Pid::from_raw(container.supervisor()), Signal::SIGKILL).unwrap();
                kill(pid, Signal::SIGKILL).unwrap();
            }
        }
    };
    for number in 0..3 {
        let container = containers.remove(0);
        let freed = address(&container);
        end(number, &container);
        wait_until("its end", || !container.is_running());
        let next = start();
        assert_eq!(address(&next), freed);
        containers.push(next);
    }
}

#[test]
fn the_bridge_and_its_rules_stay_until_somebody_removes_them() {
    need_bridge!();
    need!("nft");
    host(
        "nft add table ip others; nft add chain ip others c; nft add rule ip others c counter accept",
    );
    let rules = host("nft list ruleset");
    let container = Detached::start(&["sleep", "1000"]);
    let with_ours = ruleset();
    assert_eq!(see(&["run", "/no-such-command"]).code, Some(127));
    see(&["stop", "-t", "0", &container.id]);
    wait_until_none_is_connected();
    wait_until_all_have_ended();
    for _ in 0..2 {
        host("ip link show td0");
        assert_eq!(ruleset(), with_ours);
        assert_eq!(run("true").code, Some(0));
        wait_until_none_is_connected();
    }
    assert_eq!(see(&["prune", "-f"]).code, Some(0));
    assert_eq!(host("nft list ruleset"), rules);
    assert_eq!(ours_on_the_host(), "");
}

/// By the time that the last container ends, others may need it: a VPN, virtual machines, Docker.
#[test]
fn forwarding_is_left_on() {
    need_bridge!();
    for before in ["0", "1"] {
        host(&format!("echo {before} >/proc/sys/net/ipv4/ip_forward"));
        run("true");
        wait_until_none_is_connected();
        assert_eq!(see(&["ps"]).code, Some(0));
        wait_until_all_have_ended();
        assert_eq!(forwards(), "1");
    }
}

#[test]
fn the_veth_of_a_killed_run_goes_with_it() {
    need_bridge!();
    let mut run = Running::start(&mut tiny_docker(&["run", "sleep", "1000"]));
    wait_until("it running", || see(&["ps"]).stdout.contains("sleep 1000"));
    assert!(host("ip link").contains("td0-2"));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    wait_until_none_is_connected();
}

/// A directory for PATH, with nothing but these programs in it.
pub fn only(programs: &[&str]) -> TempDir {
    let path = TempDir::new().unwrap();
    for program in programs {
        let from = host(&format!("command -v {program}"));
        symlink(from.trim(), path.path().join(program)).unwrap();
    }
    path
}

pub fn run_with_path(path: &Path, line: &str) -> Seen {
    let mut command = tiny_docker(&["run", "bash", "-c", line]);
    command.env("PATH", path).output().unwrap().into()
}

#[test]
fn a_host_that_drops_what_it_forwards_lets_ours_pass() {
    need_bridge!();
    need!("nft", "iptables", "perl");
    internet::connect();
    let read = read_from("192.0.2.2/8000");
    for tools in [&["ip", "nft"][..], &IPTABLES] {
        host("iptables -P FORWARD DROP; iptables -A FORWARD -j REJECT");
        let before = host("iptables -S FORWARD");
        let path = only(tools);
        let stays = server_with(path.path());
        for _ in 0..2 {
            let seen = run_with_path(path.path(), &read);
            assert_eq!(
                seen.stdout, "hello 192.0.2.1\n",
                "{tools:?}: {}",
                seen.stderr
            );
        }
        // Once, however many containers come.
        let rules = host("iptables -S FORWARD").lines().count() - before.lines().count();
        assert_eq!(rules, if tools == IPTABLES { 1 } else { 2 });
        see(&["stop", "-t", "0", &stays.id]);
        start_over();
    }
    let chain = "add chain inet mine forward { type filter hook forward priority 0; policy drop; }";
    host(&format!(
        "nft add table inet mine; nft '{chain}'; nft add rule inet mine forward drop"
    ));
    let seen = run(&read);
    assert_eq!(seen.stdout, "hello 192.0.2.1\n", "{}", seen.stderr);
}

/// nft does not see these rules.
#[test]
fn an_iptables_of_the_old_kind_lets_ours_pass_too() {
    need_bridge!();
    need!("nft", "iptables-legacy");
    internet::connect();
    let set = Command::new("iptables-legacy")
        .args(["-P", "FORWARD", "DROP"])
        .output()
        .unwrap();
    if !set.status.success() {
        return skip("legacy iptables: sudo modprobe iptable_nat");
    }
    let seen = run(&read_from("192.0.2.2/8000"));
    assert_eq!(seen.stdout, "hello 192.0.2.1\n", "{}", seen.stderr);
}

/// As firewalld does.
#[test]
fn a_table_that_its_owner_locks_costs_a_warning() {
    need_bridge!();
    need!("nft");
    internet::connect();
    let mut nft = Command::new("nft");
    let mut owner = Running::start(nft.arg("-i").stdin(Stdio::piped()));
    let table = "add table inet owned { flags owner; }\n\
        add chain inet owned f { type filter hook forward priority 0; policy accept; }\n";
    owner
        .0
        .stdin
        .as_mut()
        .unwrap()
        .write_all(table.as_bytes())
        .unwrap();
    wait_until("the table", || host("nft list tables").contains("owned"));
    wait_until("the chain", || {
        host("nft list chains").contains("hook forward")
    });
    let seen = run(&read_from("192.0.2.2/8000"));
    assert_eq!(seen.stdout, "hello 192.0.2.1\n");
    assert!(
        seen.stderr
            .starts_with("tiny-docker: inet owned f may block the traffic of containers: nft: "),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_device_with_the_bridges_name_is_left_alone() {
    need_bridge!();
    host("ip link add td0 type bridge");
    let seen = see(&["run", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot use --net bridge: td0 belongs to another program");
    host("ip link show td0");
}

#[test]
fn where_forwarding_cannot_be_switched_on_there_is_no_way_out() {
    need_bridge!();
    // A new namespace has what the machine's own has.
    host("echo 0 >/proc/sys/net/ipv4/ip_forward");
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let (flags, nothing) = (MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>);
    mount(nothing, "/", nothing, flags, nothing).unwrap();
    let (bind, read_only) = (
        MsFlags::MS_BIND,
        MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY,
    );
    mount(Some("/proc/sys"), "/proc/sys", nothing, bind, nothing).unwrap();
    mount(nothing, "/proc/sys", nothing, read_only, nothing).unwrap();
    let seen = run("exec 3<>/dev/tcp/10.10.0.1/1");
    assert!(
        seen.stderr.contains("Connection refused"),
        "{}",
        seen.stderr
    );
    let warnings: Vec<_> = seen.stderr.lines().take(2).collect();
    assert_snapshot!(warnings.join("\n"), @"
    tiny-docker: a container may become this host's router: Read-only file system (os error 30)
    tiny-docker: containers cannot reach any other network: cannot enable ip_forward: Read-only file system (os error 30)
    ");
}

#[test]
fn rules_that_are_loaded_anew_do_not_shut_the_way_out() {
    need_bridge!();
    need!("nft");
    internet::connect();
    let _container = Detached::start(&["sleep", "1000"]);
    host("nft flush ruleset; echo 0 >/proc/sys/net/ipv4/ip_forward");
    let seen = run(&read_from("192.0.2.2/8000"));
    assert_eq!(seen.stdout, "hello 192.0.2.1\n", "{}", seen.stderr);
}

/// A directory for PATH, in which `program` does this.
pub fn with_a_broken(program: &str, script: &str) -> TempDir {
    let mut others = vec!["sh", "ip", "nft", "iptables", "grep"];
    others.retain(|other| *other != program && is_installed(other));
    let path = only(&others);
    let real = host(&format!("command -v {program}"));
    let file = path.path().join(program);
    write_program(&file, &format!("#!/bin/sh\nreal={real}\n{script}\n"));
    path
}

#[test]
fn where_a_program_of_the_host_fails_its_reason_is_told_and_nothing_is_left() {
    need_bridge!();
    need!("nft");
    let failed = |path: &TempDir| {
        let seen = run_with_path(path.path(), "true");
        assert_eq!(seen.code, Some(125));
        assert!(records().is_empty());
        wait_until_none_is_connected();
        seen.stderr
    };
    // It makes the bridge, and no veth.
    let path = with_a_broken(
        "ip",
        r#"case $1 in -batch) grep -v netns | $real "$@"; echo broken >&2; exit 1;; esac; exec $real "$@""#,
    );
    assert_snapshot!(failed(&path), @r#"
    tiny-docker: cannot use --net bridge: ip: Cannot find device "td0-2"
    hint: use --net isolated, which needs no bridge
    "#);
}

/// As a container can do with one of its sockets, if it shares a directory with another one.
#[test]
fn whoever_holds_on_to_the_network_of_a_container_that_has_ended_is_cut_off() {
    need_bridge!();
    let container = Detached::start(&["sleep", "1000"]);
    let network = File::open(format!("/proc/{}/ns/net", container.pid())).unwrap();
    // Nobody listens there. That takes an answer.
    let gateway = SocketAddr::from(([10, 10, 0, 1], 1));
    let reaches_the_gateway = || {
        let connect = || {
            setns(&network, CloneFlags::CLONE_NEWNET).unwrap();
            TcpStream::connect_timeout(&gateway, Duration::from_secs(2))
        };
        let connected = thread::scope(|scope| scope.spawn(connect).join().unwrap());
        connected.unwrap_err().kind() == ErrorKind::ConnectionRefused
    };
    assert!(reaches_the_gateway());
    see(&["stop", "-t", "0", &container.id]);
    wait_until("it cut off", || !reaches_the_gateway());
    // Nobody gets the address meanwhile.
    assert!(host("ip link").contains("td0-2"));
    drop(network);
    wait_until_none_is_connected();
}

/// As by Ctrl-C, which every process in the foreground gets. The runtime itself keeps its signals for the command.
#[test]
fn a_program_of_the_host_that_hangs_can_be_interrupted() {
    need_bridge!();
    let path = with_a_broken("ip", ": >$0.runs; exec /bin/sleep 1000");
    let mut run = tiny_docker(&["run", "true"]);
    run.env("PATH", path.path()).process_group(0);
    let mut run = Running::start(run.stderr(Stdio::piped()));
    wait_until("the program", || path.path().join("ip.runs").exists());
    kill(Pid::from_raw(-(run.0.id() as i32)), Signal::SIGINT).unwrap();
    let said = read_to_string(run.0.stderr.take().unwrap()).unwrap();
    // Another test may have kept it waiting for the lock.
    let mut lines = said.lines().filter(|line| !line.contains("waiting for"));
    assert_snapshot!(lines.next().unwrap(), @"tiny-docker: cannot use --net bridge: ip: it gave no reason");
    assert!(records().is_empty());
}

#[test]
fn a_mac_is_made_from_the_address() {
    need_bridge!();
    let line = "ip -oneline link show eth0 | grep -o 'ether [^ ]*'";
    assert_eq!(run(line).stdout, "ether 02:42:0a:0a:00:02\n");
    assert_eq!(run(line).stdout, "ether 02:42:0a:0a:00:03\n");
}

/// Prints what UDP brings to port 9. (2 is AF_INET, 2 is SOCK_DGRAM.)
const LISTEN: &str = r#"socket(S, 2, 2, 0); bind(S, pack("S n x12", 2, 9)) or die $!; $| = 1; print "ready\n";
    while (recv(S, $text, 99, 0)) { print "$text\n" }"#;

#[test]
fn what_is_still_sent_to_a_container_that_has_ended_does_not_reach_the_next_one() {
    need_bridge!();
    need!("perl");
    let listen = || {
        let listener = Detached::start(&["perl", "-e", LISTEN]);
        let logs = |listener: &Detached| see(&["logs", &listener.id]).stdout;
        wait_until("the listener", || logs(&listener) == "ready\n");
        let caller = UdpSocket::bind("10.10.0.1:0").unwrap();
        caller.connect((address(&listener), 9)).unwrap();
        (listener, caller, logs)
    };
    let (first, caller, logs) = listen();
    caller.send(b"for the first").unwrap();
    wait_until("it heard", || logs(&first) == "ready\nfor the first\n");
    see(&["stop", "-t", "0", &first.id]);
    wait_until_none_is_connected();
    let (next, callers_next, _) = listen();
    for _ in 0..3 {
        // That nobody is there may be an error of the one before.
        let _ = caller.send(b"for the first");
    }
    callers_next.send(b"for the next").unwrap();
    wait_until("it heard", || logs(&next).contains("for the next"));
    assert_eq!(logs(&next), "ready\nfor the next\n");
}

#[test]
fn addresses_are_given_in_turn() {
    need_bridge!();
    let line = "ip -4 -oneline address show eth0";
    let next = || {
        let arguments = ["run", "--subnet", "10.20.0.0/29", "sh", "-c", line];
        let shown = see(&arguments).stdout;
        wait_until_none_is_connected();
        let (_, rest) = shown.split_once("10.20.0.").unwrap();
        rest[..1].to_owned()
    };
    let given: String = (0..7).map(|_| next()).collect();
    assert_eq!(given, "2345623");
    // One that is somebody's is left out.
    let _stays = Detached::start(&["--subnet", "10.20.0.0/29", "sleep", "1000"]);
    let line = "ip -4 -oneline address show eth0";
    let next = || see(&["run", "--subnet", "10.20.0.0/29", "sh", "-c", line]).stdout;
    for number in [5, 6, 2, 3, 5] {
        let shown = next();
        assert!(shown.contains(&format!("10.20.0.{number}/29")), "{shown}");
        wait_until("its veth gone", || {
            !host("ip link").contains(&format!("td0-{number}"))
        });
    }
}

/// By hand, with `nft flush ruleset`, or because a network service restarts.
#[test]
fn a_bridge_that_was_removed_is_made_again_for_whatever_network_is_asked_for() {
    need_bridge!();
    need!("nft", "iptables");
    internet::connect();
    for tools in [&["ip", "nft"][..], &IPTABLES] {
        let path = only(&[tools, &["timeout", "bash"]].concat());
        for subnet in ["10.10.0.0/24", "10.11.0.0/24", "10.12.0.0/24"] {
            let read = format!("timeout 10 bash -c '{}'", read_from("192.0.2.2/8000"));
            let mut run = tiny_docker(&["run", "--subnet", subnet, "bash", "-c", &read]);
            let seen: Seen = run.env("PATH", path.path()).output().unwrap().into();
            assert_eq!(
                seen.stdout, "hello 192.0.2.1\n",
                "{subnet}: {}",
                seen.stderr
            );
            // The last of them is not removed, and given up all the same.
            wait_until_none_is_connected();
            if subnet == "10.10.0.0/24" {
                host("ip link del td0");
            }
        }
        start_over();
    }
}

#[test]
fn the_next_run_connects_everybody_again() {
    need_bridge!();
    need!("perl");
    let server = server();
    let read = read_from(&format!("{}/80", address(&server)));
    for harm in [
        "ip link del td0",
        "ip addr flush dev td0",
        "ip link set td0 down",
        "true",
    ] {
        host(harm);
        assert_eq!(
            run(&format!("timeout 10 bash -c '{read}'")).stdout,
            "served\n",
            "{harm}"
        );
        assert_eq!(host(&format!("bash -c '{read}'")), "served\n", "{harm}");
    }
}

#[test]
fn rules_of_which_a_part_was_flushed_are_made_again() {
    need_bridge!();
    need!("nft", "iptables");
    for (tools, harms) in [
        (
            &["ip", "nft"][..],
            &[
                "nft flush chain ip tiny-docker forward",
                "nft flush chain ip tiny-docker postrouting",
                "nft delete table ip tiny-docker",
                "nft flush table ip tiny-docker",
            ][..],
        ),
        (
            &IPTABLES,
            &[
                "iptables -F",
                "iptables -t nat -F",
                "iptables -F TINY-DOCKER",
            ],
        ),
    ] {
        let path = only(tools);
        assert_eq!(run_with_path(path.path(), "true").stderr, "");
        let rules = ruleset();
        for harm in harms {
            host(harm);
            assert_ne!(ruleset(), rules, "{harm}");
            assert_eq!(run_with_path(path.path(), "true").stderr, "");
            assert_eq!(ruleset(), rules, "{harm}");
        }
        start_over();
    }
}

/// Sends frames to everybody, and to bridges alone, each with "I am your router" from fe80::1 in it (RFC 4861), and
/// prints a line for each round. (17 is AF_PACKET, 3 SOCK_RAW, 0x8933 SIOCGIFINDEX.)
const ADVERTISE: &str = r#"$| = 1; socket(S, 17, 3, 0) or die $!; ioctl(S, 0x8933, $eth0 = pack("a16 x24", "eth0")) or die $!;
    $to = pack("S n a4 x12", 17, 0, substr($eth0, 16, 4)); $advertisement = "02420a0a000386dd" .
    "6000000000103afffe800000000000000000000000000001ff02000000000000000000000000000186003527400007080000000000000000";
    while (1) { for ("333300000001", "0180c2000002", "0180c200000e") { send(S, pack("H*", "$_$advertisement"), 0, $to) }
        print "sent\n"; select(undef, undef, undef, 0.05) }"#;

/// CVE-2020-13401. The same frames, where IPv6 is switched on by hand, show what they are made for.
#[test]
fn a_container_does_not_become_the_router_of_the_host_and_its_neighbours() {
    need_bridge!();
    need!("perl");
    if !Path::new("/proc/sys/net/ipv6").exists() {
        return skip("a kernel with IPv6");
    }
    let neighbour = Detached::start(&["sleep", "1000"]);
    let inside = format!("nsenter --net=/proc/{}/ns/net", neighbour.pid());
    let attacker = Detached::start(&["perl", "-e", ADVERTISE]);
    host("command -v nft >/dev/null && nft flush ruleset || true");
    let wait = || {
        let rounds = || see(&["logs", &attacker.id]).stdout.lines().count();
        let before = rounds();
        wait_until("some rounds", || rounds() > before + 5);
    };
    let routes = || host(&format!("ip -6 route; {inside} ip -6 route"));
    let set = |name: &str, value: &str| {
        for (inside, device) in [("", "td0"), ("", "td0-3"), (&*inside, "eth0")] {
            let file = format!("/proc/sys/net/ipv6/conf/{device}/{name}");
            host(&format!("{inside} sh -c 'echo {value} >{file}'"));
        }
    };
    wait();
    assert_eq!(routes(), "");
    // As `sysctl --system` may do it.
    set("disable_ipv6", "0");
    wait();
    assert!(!routes().contains("default"), "{}", routes());
    set("accept_ra", "1");
    for device in ["dev td0 ", "dev td0-3 ", "dev eth0 "] {
        let route = format!("default via fe80::1 {device}");
        wait_until("the attack", || routes().contains(&route));
    }
}

#[test]
fn without_nft_and_iptables_there_is_no_way_out() {
    need_bridge!();
    let path = only(&["ip"]);
    let seen = run_with_path(path.path(), "exec 3<>/dev/tcp/10.10.0.1/1");
    assert!(
        seen.stderr.contains("Connection refused"),
        "{}",
        seen.stderr
    );
    let warning: Vec<_> = seen.stderr.lines().take(2).collect();
    assert_snapshot!(warning.join("\n"), @"
    tiny-docker: containers cannot reach any other network: neither nft nor iptables is in PATH
    hint: install nftables
    ");
}

#[test]
fn without_ip_there_is_no_bridge() {
    need_bridge!();
    let path = only(&["true"]);
    let seen = run_with_path(path.path(), "true");
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot use --net bridge: ip is not in PATH
    hint: use --net isolated, which needs no bridge
    ");
    assert!(records().is_empty());
}

#[test]
fn a_network_that_the_host_has_already_is_refused() {
    need_bridge!();
    host("ip link add up0 type veth peer name up1; ip link set up0 up");
    let refused = |network: &str| {
        host(&format!("ip addr add {network} dev up0"));
        let seen = see(&["run", "true"]);
        assert_eq!(seen.code, Some(125));
        host(&format!("ip addr del {network} dev up0"));
        seen.stderr
    };
    assert_snapshot!(refused("10.10.0.0/24"), @"
    tiny-docker: cannot use --net bridge: 10.10.0.0/24 overlaps 10.10.0.0/24 on up0
    hint: use TINY_DOCKER_SUBNET=10.123.0.0/24
    ");
    assert_snapshot!(refused("10.10.0.77/16"), @"
    tiny-docker: cannot use --net bridge: 10.10.0.0/24 overlaps 10.10.0.0/16 on up0
    hint: use TINY_DOCKER_SUBNET=10.123.0.0/24
    ");
    assert_snapshot!(refused("10.10.0.129/25"), @"
    tiny-docker: cannot use --net bridge: 10.10.0.0/24 overlaps 10.10.0.128/25 on up0
    hint: use TINY_DOCKER_SUBNET=10.123.0.0/24
    ");
    assert_snapshot!(refused("10.123.0.1/8"), @"
    tiny-docker: cannot use --net bridge: 10.10.0.0/24 overlaps 10.0.0.0/8 on up0
    hint: use TINY_DOCKER_SUBNET=172.30.0.0/24
    ");
    assert_eq!(ours_on_the_host(), "");
    assert!(records().is_empty());

    host("ip addr add 10.10.0.77/24 dev up0");
    let mut another = tiny_docker(&["run", "ip", "-4", "-oneline", "address", "show", "eth0"]);
    let seen: Seen = another
        .env("TINY_DOCKER_SUBNET", "10.11.0.0/16")
        .output()
        .unwrap()
        .into();
    assert!(
        seen.stdout.contains(" 10.11.0.2/16 "),
        "{}{}",
        seen.stdout,
        seen.stderr
    );
    // One after the other is no problem, at once they are.
    let _container = Detached::start(&["--subnet", "10.12.0.0/24", "sleep", "1000"]);
    let seen = see(&["run", "--subnet", "10.13.0.0/24", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot use --net bridge: td0 is in use, but not with subnet 10.13.0.0/24
    hint: ip route show dev td0 shows its subnet
    ");
}

#[test]
fn a_subnet_that_cannot_be_is_refused() {
    let refused = |subnet| {
        let seen = see(&["run", "--subnet", subnet, "true"]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
        seen.stderr.lines().next().unwrap().to_owned() + "\n"
    };
    let subnets = [
        "10.10.0.0",
        "10.10.0.5/24",
        "10.10.0.0/30",
        "10.0.0.0/8",
        "300.1.1.0/24",
        "::/24",
    ];
    assert_snapshot!(subnets.map(refused).concat(), @"
    error: invalid value '10.10.0.0' for '--subnet <NETWORK>': expected the form 10.10.0.0/24
    error: invalid value '10.10.0.5/24' for '--subnet <NETWORK>': its network address is 10.10.0.0/24
    error: invalid value '10.10.0.0/30' for '--subnet <NETWORK>': expected a prefix length from /16 to /29
    error: invalid value '10.0.0.0/8' for '--subnet <NETWORK>': expected a prefix length from /16 to /29
    error: invalid value '300.1.1.0/24' for '--subnet <NETWORK>': expected the form 10.10.0.0/24
    error: invalid value '::/24' for '--subnet <NETWORK>': expected the form 10.10.0.0/24
    ");
}

#[test]
fn an_ordinary_user_has_no_bridge() {
    need_namespaces!();
    let home = TempDir::new().unwrap();
    let see = |arguments: &[&str]| -> Seen {
        as_ordinary_user(home.path(), arguments)
            .env("HOME", home.path())
            .output()
            .unwrap()
            .into()
    };
    assert_eq!(see(&["run", "true"]).code, Some(0));
    let seen = see(&["run", "--net", "bridge", "true"]);
    assert_eq!(seen.code, Some(125));
    let program = as_ordinary_user(home.path(), &[]);
    let said = seen
        .stderr
        .replace(program.get_program().to_str().unwrap(), "PROGRAM");
    assert_snapshot!(said, @"
    tiny-docker: cannot use --net bridge: only root may change the host's network
    hint: use --net isolated, or sudo PROGRAM run …
    ");
    let network = see(&["run", "readlink", "/proc/self/ns/net"]).stdout;
    let hosts = fs::read_link("/proc/thread-self/ns/net").unwrap();
    assert_ne!(network.trim(), hosts.to_str().unwrap());
    assert_eq!(
        see(&["run", "ip", "-brief", "link"]).stdout.lines().count(),
        1
    );
}

/// Whoever can open the file can lock it, and every run would wait for them.
#[test]
fn no_ordinary_user_may_lock_the_network() {
    need_bridge!();
    let lock = Path::new("/run/tiny-docker.lock");
    // As an earlier day's program leaves it.
    fs::write(lock, "").unwrap();
    fs::set_permissions(lock, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(run("true").code, Some(0));
    let mode = fs::metadata(lock).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
