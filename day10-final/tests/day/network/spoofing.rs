//! What a container sends in the name of another. Each attack is shown to work on day 9, and to fail here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use insta::assert_snapshot;
use nix::unistd::geteuid;

use crate::need_namespaces;
use crate::network::bridge::{
    IPTABLES, is_installed, only, read_from, run_with_path, start_over, with_a_broken,
};
use crate::network::internet;
use crate::support::{Detached, Seen, TINY_DOCKER, host, leave_to, see, skip, state, wait_until};

/// Returns from a test, aloud, where there can be no guard, or no thief.
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

/// The last bytes of the addresses that the containers get, in the order in which they start.
const LISTENER: u8 = 2;
const NEIGHBOUR: u8 = 3;
const THIEF: u8 = 4;

/// Prints what UDP brings to port 9, each line with its sender. (2 is AF_INET, 2 is SOCK_DGRAM.)
const LISTEN: &str = r#"socket(S, 2, 2, 0); bind(S, pack("S n x12", 2, 9)) or die $!; $| = 1; print "ready\n";
    while ($from = recv(S, $text, 99, 0)) { print join(".", unpack("x4 C4", $from)), " $text\n" }"#;

/// Sends frames, given in hexadecimal, again and again. (17 is AF_PACKET, 3 SOCK_RAW, 0x8933 SIOCGIFINDEX.)
const SEND: &str = r#"socket(S, 17, 3, 0) or die $!; ioctl(S, 0x8933, $eth0 = pack("a16 x24", "eth0")) or die $!;
    $to = pack("S n a4 x12", 17, 0, substr($eth0, 16, 4));
    while (1) { send(S, pack("H*", $_), 0, $to) for @ARGV; select(undef, undef, undef, 0.05) }"#;

fn mac(number: u8) -> [u8; 6] {
    [0x02, 0x42, 10, 10, 0, number]
}

fn frame(to: [u8; 6], from: [u8; 6], protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &protocol.to_be_bytes(), payload].concat()
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes()
}

/// IPv4 and UDP, to port 9 of the listener.
fn datagram(from: u8, text: &str) -> Vec<u8> {
    let length = text.len() as u8;
    let mut header = [
        0x45,
        0,
        0,
        28 + length,
        0,
        0,
        0,
        0,
        64,
        17,
        0,
        0,
        10,
        10,
        0,
        from,
        10,
        10,
        0,
        LISTENER,
    ];
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    [
        &header[..],
        &[0, 9, 0, 9, 0, 8 + length, 0, 0],
        text.as_bytes(),
    ]
    .concat()
}

/// What the thief sends with its own name on it.
fn honest() -> Vec<u8> {
    frame(
        mac(LISTENER),
        mac(THIEF),
        0x0800,
        &datagram(THIEF, "honest"),
    )
}

/// "10.10.0.`of` is at `mac`", for the listener.
fn arp_reply(of: u8, mac_of: [u8; 6]) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 2];
    [
        &head[..],
        &mac_of,
        &[10, 10, 0, of],
        &mac(LISTENER),
        &[10, 10, 0, LISTENER],
    ]
    .concat()
}

/// "I am your router", by fe80::`id` and for all: RFC 4861.
fn router_advertisement(id: u8) -> Vec<u8> {
    let (mut from, mut to) = ([0; 16], [0; 16]);
    (from[0], from[1], from[15]) = (0xfe, 0x80, id);
    (to[0], to[1], to[15]) = (0xff, 0x02, 1);
    // For half an hour.
    let mut message = [134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    let sum = checksum(&[&from[..], &to, &[0, 0, 0, 16, 0, 0, 0, 58], &message].concat());
    message[2..4].copy_from_slice(&sum);
    [&[0x60, 0, 0, 0, 0, 16, 58, 255][..], &from, &to, &message].concat()
}

/// `PROGRAM run -d ARGUMENTS…`
fn start(program: &Path, arguments: &[&str]) -> Detached {
    let mut run = Command::new(program);
    run.args(["run", "-d"]).args(arguments);
    run.env("TINY_DOCKER_ROOT", state()).stdin(Stdio::null());
    let Seen {
        code,
        stdout,
        stderr,
    } = run.output().unwrap().into();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let id = stdout.trim().to_owned();
    Detached { id }
}

struct Scene {
    listener: Detached,
    neighbour: Detached,
    thief: Option<Detached>,
}

impl Scene {
    fn start(program: &Path) -> Self {
        let listener = start(program, &["perl", "-e", LISTEN]);
        let neighbour = start(program, &["sleep", "1000"]);
        let scene = Self {
            listener,
            neighbour,
            thief: None,
        };
        wait_until("the listener", || scene.heard() == ["ready"]);
        // Now each of them knows the other.
        scene.say("hello");
        scene
    }

    /// One more container, which sends these frames from now on, and an honest one after them.
    fn send(&mut self, program: &Path, frames: &[Vec<u8>]) {
        let hex = |frame: &Vec<u8>| frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let frames: Vec<String> = frames.iter().chain([&honest()]).map(hex).collect();
        let frames = frames.iter().map(String::as_str).collect();
        self.thief = Some(start(program, &[vec!["perl", "-e", SEND], frames].concat()));
    }

    /// The neighbour sends this.
    fn say(&self, word: &str) {
        let address = format!("10.10.0.{LISTENER}/9");
        inside(
            &self.neighbour,
            &format!("bash -c 'printf {word} >/dev/udp/{address}'"),
        );
        wait_until("what the neighbour says", || {
            self.hears(&format!("10.10.0.{NEIGHBOUR} {word}"))
        });
    }

    fn heard(&self) -> Vec<String> {
        let log = see(&["logs", &self.listener.id]).stdout;
        log.lines().map(str::to_owned).collect()
    }

    fn hears(&self, line: &str) -> bool {
        self.heard().iter().any(|heard| heard == line)
    }

    /// Until the thief's frames have come through a second long: so long one believes the first answer of ARP.
    fn wait(&self) {
        let honest = || {
            self.heard()
                .iter()
                .filter(|line| line.ends_with("10.10.0.4 honest"))
                .count()
        };
        let before = honest();
        sleep(Duration::from_millis(1200));
        wait_until("honest frames", || honest() > before + 5);
    }
}

/// Runs `command` in the network of this container.
fn inside(container: &Detached, command: &str) -> String {
    host(&format!(
        "nsenter --net=/proc/{}/ns/net {command}",
        container.pid()
    ))
}

/// Day 9's program, if it has been built.
fn day_9() -> Option<PathBuf> {
    let program = Path::new(TINY_DOCKER).with_file_name("day09-bridge");
    if !program.exists() {
        skip("target/debug/day09-bridge: cargo build");
        return None;
    }
    Some(program)
}

/// Where a thief sends these `frames`, `stolen` becomes true on day 9, and does not here.
fn works_on_day_9_only(frames: &[Vec<u8>], stolen: impl Fn(&Scene) -> bool) {
    if let Some(program) = day_9() {
        let mut scene = Scene::start(&program);
        scene.send(&program, frames);
        wait_until("the attack on day 9", || stolen(&scene));
        drop(scene);
        start_over();
    }
    let program = Path::new(TINY_DOCKER);
    let mut scene = Scene::start(program);
    scene.send(program, frames);
    scene.wait();
    assert!(!stolen(&scene));
    // The guard is for all, also after this. What is there already is restored, too.
    scene.thief = None;
    wait_until("the thief gone", || !host("ip link show").contains("td0-4"));
    // The next one has this address, too.
    host("echo 3 >/proc/sys/net/ipv4/conf/td0/tag");
    host("nft flush ruleset");
    scene.send(program, frames);
    scene.wait();
    assert!(!stolen(&scene));
    scene.say("still");
}

#[test]
fn a_packet_with_the_address_of_another_is_not_delivered() {
    need_bridge!();
    let forged = frame(
        mac(LISTENER),
        mac(THIEF),
        0x0800,
        &datagram(NEIGHBOUR, "forged"),
    );
    works_on_day_9_only(&[forged], |scene| scene.hears("10.10.0.3 forged"));
}

#[test]
fn a_frame_with_the_mac_of_another_is_not_delivered() {
    need_bridge!();
    let forged = frame(
        mac(LISTENER),
        mac(NEIGHBOUR),
        0x0800,
        &datagram(THIEF, "forged"),
    );
    works_on_day_9_only(&[forged], |scene| scene.hears("10.10.0.4 forged"));
}

/// Frames to these are for bridges alone, and take other ways through them. (LACP, LLDP)
const FOR_BRIDGES: [[u8; 6]; 2] = [
    [0x01, 0x80, 0xc2, 0, 0, 0x02],
    [0x01, 0x80, 0xc2, 0, 0, 0x0e],
];

#[test]
fn the_bridge_does_not_learn_that_a_neighbour_is_where_the_thief_is() {
    need_bridge!();
    if !is_installed("bridge") {
        return skip("bridge: sudo apt install iproute2");
    }
    let packet = datagram(NEIGHBOUR, "forged");
    let forged = FOR_BRIDGES.map(|to| frame(to, mac(NEIGHBOUR), 0x0800, &packet));
    works_on_day_9_only(&forged, |_| {
        host("bridge fdb show br td0").contains("02:42:0a:0a:00:03 dev td0-4")
    });
}

#[test]
fn a_forged_answer_of_arp_takes_nobodys_address() {
    need_bridge!();
    let to_listener = |answer: &[u8]| frame(mac(LISTENER), mac(THIEF), 0x0806, answer);
    works_on_day_9_only(&[to_listener(&arp_reply(NEIGHBOUR, mac(THIEF)))], |scene| {
        inside(&scene.listener, "ip neigh show 10.10.0.3").contains("02:42:0a:0a:00:04")
    });
    start_over();
    // Nor does the thief send to the neighbour what is for itself.
    works_on_day_9_only(&[to_listener(&arp_reply(THIEF, mac(NEIGHBOUR)))], |scene| {
        inside(&scene.listener, "bash -c 'printf x >/dev/udp/10.10.0.4/9'");
        inside(&scene.listener, "ip neigh show 10.10.0.4").contains("02:42:0a:0a:00:03")
    });
}

#[test]
fn nobody_becomes_the_router_of_the_host_and_the_neighbours() {
    need_bridge!();
    if !Path::new("/proc/sys/net/ipv6").exists() {
        return skip("a kernel with IPv6");
    }
    let for_all = [0x33, 0x33, 0, 0, 0, 1];
    let advertise = |to, id| frame(to, mac(THIEF), 0x86dd, &router_advertisement(id));
    // They do not listen (see the tests of the bridge). If somebody makes them, the guard holds.
    let listen = |device: &str| {
        let conf = format!("/proc/sys/net/ipv6/conf/{device}");
        format!(
            "sh -c 'echo 0 >{conf}/disable_ipv6; echo 1 >{conf}/accept_ra; ip -6 route show default'"
        )
    };
    works_on_day_9_only(&[advertise(for_all, 1)], |scene| {
        inside(&scene.listener, &listen("eth0")).contains("via fe80::1 ")
    });
    start_over();
    works_on_day_9_only(&[advertise(for_all, 1)], |_| {
        host(&listen("td0")).contains("via fe80::1 ")
    });
    start_over();
    works_on_day_9_only(&FOR_BRIDGES.map(|to| advertise(to, 2)), |scene| {
        scene.thief.is_some() && host(&listen("td0-4")).contains("via fe80::2 ")
    });
}

#[test]
fn who_takes_another_address_has_no_network() {
    need_bridge!();
    let script = r#"
        try() {
            connect='exec 3<>/dev/tcp/10.10.0.1/1'
            timeout 2 bash -c "$connect" 2>&1 | grep -q refused && echo refused || echo silence
        }
        try
        ip addr flush dev eth0; ip addr add 10.10.0.3/24 dev eth0; try
        ip addr flush dev eth0; ip addr add 10.10.0.2/24 dev eth0; try
        ip link set eth0 down; ip link set eth0 address 02:42:0a:0a:00:03; ip link set eth0 up; try
        "#;
    let tries = |program: &Path| {
        // Without CAP_NET_ADMIN, which day 10 gives to nobody, it could not even try.
        let mut words = vec!["sh", "-c", script];
        if program == Path::new(TINY_DOCKER) {
            words.splice(0..0, ["--cap-add", "NET_ADMIN"]);
        }
        let container = start(program, &words);
        container.wait_for_its_end();
        see(&["logs", &container.id]).stdout
    };
    if let Some(day_9) = day_9() {
        assert_eq!(tries(&day_9), "refused\nrefused\nrefused\nrefused\n");
        start_over();
    }
    assert_eq!(
        tries(Path::new(TINY_DOCKER)),
        "refused\nsilence\nrefused\nsilence\n"
    );
}

/// As Docker asks for it. The rules for IPv4 then see what goes from neighbour to neighbour, too.
#[test]
fn neighbours_reach_each_other_where_the_firewall_sees_the_bridges_frames() {
    need_bridge!();
    let seen = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    if !seen.exists() {
        return skip("br_netfilter: sudo modprobe br_netfilter");
    }
    host(&format!("echo 1 >{}", seen.display()));
    Scene::start(Path::new(TINY_DOCKER)).say("still");
}

#[test]
fn where_there_can_be_no_guard_that_is_told() {
    need_bridge!();
    internet::connect();
    // As with a kernel that has no tables for bridges.
    let path = with_a_broken(
        "nft",
        r#"case $* in *-f*) rules=$(grep "" || true); case $rules in
            *"table bridge"*|*"element bridge"*) echo no bridges >&2; exit 1;;
            *) echo "$rules" | $real "$@"; exit;; esac;; esac; exec $real "$@""#,
    );
    let seen = run_with_path(path.path(), &read_from("192.0.2.2/8000"));
    assert_eq!(seen.stdout, "hello 192.0.2.1\n");
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot prevent containers from using each other's addresses: nft: no bridges");
}

#[test]
fn without_nft_there_is_no_guard() {
    need_bridge!();
    if !is_installed("iptables") {
        return skip("iptables: sudo apt install iptables");
    }
    internet::connect();
    let seen = run_with_path(only(&IPTABLES).path(), &read_from("192.0.2.2/8000"));
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("hello 192.0.2.1\n", "")
    );
}
