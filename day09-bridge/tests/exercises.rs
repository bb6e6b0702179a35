//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day09-bridge --test exercises -- --ignored ex1
//!
//! Containers on a bridge need root. Each test has a network of its own for a host, the real one stays as it is.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::net::if_::if_nameindex;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;
use tempfile::TempDir;

/// Waits for its end.
const WAITS: &str = "echo ready; exec sleep 1000";

/// The host's address in a network with one other machine, and the other machine's.
const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Seen {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Seen {
    /// That the run was refused, with one of these exit codes, and in one line with `word` in it.
    fn assert_refused(&self, codes: &[i32], word: &str) {
        assert_eq!(self.stdout, "", "the command should not start");
        assert!(
            self.code.is_some_and(|code| codes.contains(&code)),
            "the exit code should be one of {codes:?}, and is {:?}. On stderr: {}",
            self.code,
            self.stderr
        );
        // Below it, there may be a hint: ours, or clap's. And some hosts have DNS servers for nobody else.
        let hints = [
            "hint: ",
            "  tip: ",
            "For more information",
            "tiny-docker: no DNS server",
            "tiny-docker: waiting for",
        ];
        let mut lines: Vec<_> = self.stderr.lines().collect();
        lines.retain(|line| !line.is_empty() && !hints.iter().any(|hint| line.starts_with(hint)));
        assert!(
            lines.len() == 1 && lines[0].contains(word),
            "one line, with {word} in it, should say what is wrong, and stderr is:\n{}",
            self.stderr
        );
    }
}

/// A state directory for one test, and a network for it.
struct Place {
    state: TempDir,
}

impl Place {
    fn new() -> Self {
        if geteuid().is_root() {
            // For this thread, and what it starts. (Others cannot change the real one anyway.)
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
        }
        if can_have_bridges() {
            ip("link set lo up");
        }
        let place = Self {
            state: TempDir::new().unwrap(),
        };
        let built = place.see(&["run", "--net", "isolated", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        command.env_remove("TINY_DOCKER_SUBNET");
        command
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end, whatever that is.
    fn try_to(&self, arguments: &[&str]) -> Seen {
        Seen::from(self.tiny_docker(arguments).output().unwrap())
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end. Of the graders' own commands, those run by this one do not
    /// exit 2: that is clap, at an unknown command or option.
    fn see(&self, arguments: &[&str]) -> Seen {
        let seen = self.try_to(arguments);
        assert_ne!(
            seen.code,
            Some(2),
            "tiny-docker {arguments:?} is not understood yet:\n{}",
            seen.stderr
        );
        seen
    }

    /// What `script` prints in a new container, where it should exit 0.
    fn run(&self, options: &[&str], script: &str) -> String {
        let seen = self.see(&[&["run"], options, &["sh", "-c", script]].concat());
        assert_eq!(
            seen.code,
            Some(0),
            "run {options:?} should exit 0. On stderr: {}",
            seen.stderr
        );
        seen.stdout
    }

    /// Starts a container in the background, and waits until its `script` says "ready".
    fn start(&self, options: &[&str], script: &str) -> Background<'_> {
        // The path makes its command line one of a kind.
        let script = format!(": {}; {script}", self.state.path().display());
        let seen = self.see(&[&["run", "-d"], options, &["sh", "-c", &script]].concat());
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        let id = seen.stdout.trim().to_owned();
        let mut container = Background {
            place: self,
            id,
            pid: 0,
        };
        container.pid = container.record()["pid"].as_i64().unwrap() as i32;
        wait_until("the container say ready", || {
            container.log().contains("ready\n")
        });
        container
    }

    /// How many records there are, finished or not.
    fn count_records(&self) -> usize {
        let containers = self.state.path().join("containers");
        fs::read_dir(containers).unwrap().count()
    }

    /// That `run OPTIONS…` is refused, and leaves nothing behind.
    fn assert_refuses(&self, options: &[&str], codes: &[i32], word: &str) {
        let traces = || (self.count_records(), devices(), rules());
        let before = traces();
        let seen = self.try_to(&[&["run"], options, &["echo", "ran"]].concat());
        println!("run {options:?}:"); // shown where the test fails
        seen.assert_refused(codes, word);
        // A veth needs a moment to go away.
        wait_until("nothing left of a run that was refused", || {
            traces() == before
        });
    }

    /// The file that containers without others see as their /etc/hosts.
    fn hosts_of_rootfs(&self) -> PathBuf {
        self.state.path().join("rootfs/default/etc/hosts")
    }
}

/// A container in the background, which does not outlive the test.
struct Background<'a> {
    place: &'a Place,
    id: String,
    pid: i32,
}

impl Background<'_> {
    fn directory(&self) -> PathBuf {
        self.place.state.path().join("containers").join(&self.id)
    }

    fn record(&self) -> Value {
        let text = fs::read(self.directory().join("config.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory().join("container.log")).unwrap_or_default()
    }

    /// As the kernel knows it.
    fn address(&self) -> String {
        let namespace = format!("--net=/proc/{}/ns/net", self.pid);
        let shown = output(
            "nsenter",
            &[&namespace, "ip", "-4", "-o", "addr", "show", "eth0"],
        );
        let words: Vec<_> = shown.split_whitespace().collect();
        let address = words.iter().skip_while(|word| **word != "inet").nth(1);
        let address = address.unwrap_or_else(|| panic!("no address of eth0: {shown:?}"));
        address.split('/').next().unwrap().to_owned()
    }

    /// What listens at a port of all its addresses. This keeps its network alive.
    fn listen(&self, port: u16) -> TcpListener {
        let listener = within(self.pid, || {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        });
        let listener = listener.unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    }

    fn stop(&self) {
        let seen = self.place.see(&["stop", "-t", "0", &self.id]);
        assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    }

    /// Kills the `run` that looks after it, and then the container: nobody is left who could tidy up.
    fn abandon(&self) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        let run = after_name.split_whitespace().nth(1).unwrap();
        for pid in [run.parse().unwrap(), self.pid] {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            // Until somebody waits for it, it is there, without a command line.
            let command_line = format!("/proc/{pid}/cmdline");
            wait_until("the end of a process", || {
                fs::read(&command_line).map_or(true, |line| line.is_empty())
            });
        }
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        let stop = &mut self.place.tiny_docker(&["stop", "-t", "0", &self.id]);
        let _ = stop.output();
        // Where the exercise's code has broken that, or has lost the record. The command line of a dead process
        // is empty.
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let ours = self.place.state.path().to_str().unwrap();
        if String::from_utf8_lossy(&command_line).contains(ours) {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        // Its run writes to the state directory until it lets go of the lock.
        if let Ok(lock) = File::open(self.directory().join("lock")) {
            let _ = lock.lock();
        }
    }
}

/// A process that does not outlive the test.
struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `condition` holds. The limit is wide: some machines are slow.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "never saw {what}"
        );
        sleep(Duration::from_millis(5));
    }
}

/// Another machine, at the other end of a veth from the host.
fn other_machine() -> Stranger {
    let machine = Command::new("unshare")
        .args(["-n", "sleep", "1000"])
        .spawn();
    let machine = Stranger(machine.unwrap());
    let pid = machine.0.id();
    wait_until("the other machine", || {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"))
    });
    ip(&format!("link add up0 type veth peer name up0 netns {pid}"));
    ip(&format!("addr add {HOST}/24 dev up0"));
    ip("link set up0 up");
    let there = format!("--net=/proc/{pid}/ns/net");
    for arguments in [
        format!("addr add {OTHER}/24 dev up0"),
        "link set up0 up".to_owned(),
        // As a neighbour would try who wants into a container.
        format!("route add 10.10.0.0/24 via {HOST}"),
    ] {
        let words: Vec<_> = [&*there, "ip"]
            .into_iter()
            .chain(arguments.split(' '))
            .collect();
        output("nsenter", &words);
    }
    machine
}

/// What `act` does in the network of the process `pid`.
fn within<T: Send>(pid: i32, act: impl FnOnce() -> T + Send) -> T {
    let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let act = || {
        // For this thread.
        setns(&network, CloneFlags::CLONE_NEWNET).unwrap();
        act()
    };
    thread::scope(|scope| scope.spawn(act).join().unwrap())
}

fn connect(address: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let patience = Duration::from_secs(3);
    TcpStream::connect_timeout(&SocketAddr::from((address, port)), patience)
}

/// That the other end of `client` is what listens there, and that both ends hear each other.
fn assert_leads_to(client: io::Result<TcpStream>, listener: &TcpListener, what: &str) {
    let mut client = client.unwrap_or_else(|error| panic!("{what}: {error}"));
    let start = Instant::now();
    let (mut server, _) = loop {
        match listener.accept() {
            Ok(accepted) => break accepted,
            Err(_) if start.elapsed() < Duration::from_secs(5) => sleep(Duration::from_millis(5)),
            Err(_) => panic!("{what}: somebody else has answered"),
        }
    };
    server.set_nonblocking(false).unwrap();
    for end in [&client, &server] {
        end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    }
    let mut heard = [0; 4];
    client.write_all(b"ping").unwrap();
    server.read_exact(&mut heard).unwrap();
    server.write_all(b"pong").unwrap();
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"pong", "{what}");
}

/// Runs a program of the host to its end.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn ip(arguments: &str) {
    let words: Vec<_> = arguments.split(' ').collect();
    output("ip", &words);
}

/// The network devices of this test's host.
fn devices() -> Vec<String> {
    let devices = if_nameindex().unwrap();
    let names = devices
        .iter()
        .map(|device| device.name().to_string_lossy().into_owned());
    names.collect()
}

/// Whether a container has a veth to the bridge.
fn is_connected() -> bool {
    devices().iter().any(|device| device.starts_with("td0-"))
}

/// Its rules for packets, if there is an nft to show them, in whatever order their tables are.
fn rules() -> String {
    if !geteuid().is_root() || !has("nft") {
        return String::new();
    }
    let list = output("nft", &["list", "ruleset"]);
    let mut lines: Vec<_> = list.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn can_have_bridges() -> bool {
    geteuid().is_root() && has("ip")
}

/// Says aloud that a test cannot run here, although it passes.
fn skip(needed: &str) {
    // Not eprintln: the test harness would hide it.
    let _ = writeln!(io::stderr(), "skipped: needs {needed}");
}

/// Returns from a test where there can be no bridge.
macro_rules! need_bridges {
    () => {
        if !can_have_bridges() {
            return skip("root, and ip in PATH");
        }
    };
}

/// Returns from a test where no port can be published.
macro_rules! need_ports {
    () => {
        if !can_have_bridges() || !has("nft") {
            return skip("root, and ip and nft in PATH");
        }
    };
}

// Exercise 1: run --add-host NAME:ADDRESS

/// All networks that this user may have.
fn networks() -> Vec<&'static str> {
    let mut networks = vec!["isolated", "host"];
    if can_have_bridges() {
        networks.push("bridge");
    }
    networks
}

/// The lines of hosts(5), as words.
fn lines(hosts: &str) -> Vec<Vec<&str>> {
    let lines = hosts.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| line.split_whitespace().collect());
    lines.filter(|line: &Vec<_>| !line.is_empty()).collect()
}

const ADDED: [&str; 6] = [
    "--add-host",
    "db:192.0.2.7",
    "--add-host",
    "db6:2001:db8::7",
    "--add-host",
    "db:192.0.2.8",
];

fn assert_added(hosts: &str, net: &str) {
    for line in [
        ["192.0.2.7", "db"],
        ["2001:db8::7", "db6"],
        ["192.0.2.8", "db"],
    ] {
        assert!(
            lines(hosts).iter().any(|found| *found == line),
            "with --net {net}, a line should be {line:?}, and /etc/hosts is:\n{hosts}"
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_the_lines_are_there_with_each_network() {
    let place = Place::new();
    for net in networks() {
        let options = [&["--net", net], &ADDED[..]].concat();
        let hosts = place.run(&options, "cat /etc/hosts");
        assert_added(&hosts, net);
        // In the background, too, and under a PID 1 that is ours.
        let options = [&options[..], &["--init"]].concat();
        let container = place.start(&options, &format!("cat /etc/hosts; {WAITS}"));
        assert_added(&container.log(), net);
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_what_was_in_the_file_stays() {
    let place = Place::new();
    let host = fs::read_to_string("/etc/hosts").unwrap_or_default();
    for net in networks() {
        let hosts = place.run(&[&["--net", net], &ADDED[..]].concat(), "cat /etc/hosts");
        let expected = match net {
            "host" => lines(&host),
            "bridge" => vec![
                vec!["127.0.0.1", "localhost"],
                vec!["10.10.0.2", "tiny-container"],
            ],
            _ => vec![vec!["127.0.0.1", "localhost"]],
        };
        for line in expected {
            // Several names in one line are as good as several lines.
            let there = lines(&hosts)
                .iter()
                .any(|found| found[0] == line[0] && line.iter().all(|word| found.contains(word)));
            assert!(
                there,
                "with --net {net}, a line should be {line:?} as before, and /etc/hosts is:\n{hosts}"
            );
        }
        assert_added(&hosts, net);
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_a_last_line_without_an_end_stays_whole() {
    let place = Place::new();
    let file = place.state.path().join("hosts");
    fs::write(&file, "127.0.0.1 localhost\n192.0.2.6 last").unwrap();
    // Such is the /etc/hosts of this one's host, which is a mount namespace with a file of the test's in that place.
    let run = place.tiny_docker(
        &[
            &["run", "--net", "host"],
            &ADDED[..],
            &["cat", "/etc/hosts"],
        ]
        .concat(),
    );
    let mut unshare = Command::new("unshare");
    unshare.arg(match geteuid().is_root() {
        true => "-m",
        false => "-rm",
    });
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    unshare.args(["sh", "-c", script]).arg(&file);
    unshare.arg(run.get_program()).args(run.get_args());
    unshare.env("TINY_DOCKER_ROOT", place.state.path());
    let seen = Seen::from(unshare.output().unwrap());
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_added(&seen.stdout, "host");
    assert!(
        lines(&seen.stdout).contains(&vec!["192.0.2.6", "last"]),
        "the host's last line was \"192.0.2.6 last\", without a line break, and /etc/hosts is:\n{}",
        seen.stdout
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_nobody_elses_file_changes() {
    let place = Place::new();
    let rootfs = "192.0.2.9\tof-the-rootfs\n";
    fs::write(place.hosts_of_rootfs(), rootfs).unwrap();
    let host = fs::read_to_string("/etc/hosts").unwrap_or_default();
    for net in networks() {
        let options = [&["--net", net], &ADDED[..]].concat();
        assert_added(&place.run(&options, "cat /etc/hosts"), net);
        assert_eq!(
            fs::read_to_string(place.hosts_of_rootfs()).unwrap(),
            rootfs,
            "after --net {net}, /etc/hosts of the rootfs, which is all containers', has changed"
        );
        assert_eq!(
            fs::read_to_string("/etc/hosts").unwrap_or_default(),
            host,
            "after --net {net}, the host's /etc/hosts has changed"
        );
        let next = place.run(&["--net", net], "cat /etc/hosts");
        assert!(
            !next.contains("192.0.2.7"),
            "with --net {net}, the next container has the lines of this one:\n{next}"
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_what_is_no_name_and_address_is_refused() {
    let place = Place::new();
    place.run(&["--net", "isolated", "--add-host", "db:192.0.2.7"], "true");
    for value in [
        "db",
        "",
        ":",
        "db:",
        ":192.0.2.7",
        "db:192.0.2",
        "db:192.0.2.256",
        "db:2001:db8::7::1",
        "db:localhost",
        "d b:192.0.2.7",
        "d\tb:192.0.2.7",
        " db:192.0.2.7",
        "db:192.0.2.7 evil",
    ] {
        place.assert_refuses(&["--add-host", value], &[2], "--add-host");
    }
    // As they are cited, it may take more than a line to say what is wrong with these.
    for value in ["evil\ndb:192.0.2.7", "db:192.0.2.7\n192.0.2.8 evil"] {
        let seen = place.try_to(&["run", "--add-host", value, "echo", "ran"]);
        assert_eq!((seen.code, &*seen.stdout), (Some(2), ""), "{value:?}");
    }
}

// Exercise 2: run --ip ADDRESS

#[test]
#[ignore = "exercise"]
fn ex2_the_container_has_the_address() {
    need_bridges!();
    let place = Place::new();
    for (options, address) in [
        (&[][..], "10.10.0.77"),
        (&["--net", "bridge"], "10.10.0.2"),
        (&["--init"], "10.10.0.254"),
    ] {
        let options = [options, &["--ip", address]].concat();
        let container = place.start(&options, &format!("cat /etc/hosts; {WAITS}"));
        assert_eq!(container.address(), address, "after run {options:?}");
        assert_eq!(container.record()["address"], address, "in the record");
        assert!(
            lines(&container.log()).contains(&vec![address, "tiny-container"]),
            "/etc/hosts should have it, too, and is:\n{}",
            container.log()
        );
        let listed = place.see(&["ps"]).stdout;
        assert!(
            listed.contains(&format!("   {address}   ")),
            "ps should show it:\n{listed}"
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_it_can_talk_from_there() {
    need_bridges!();
    let place = Place::new();
    let neighbour = place.start(&["--ip", "10.10.0.30"], WAITS);
    let listener = neighbour.listen(4000);
    let talk = "exec cat </dev/tcp/10.10.0.30/4000";
    let mut run = place.tiny_docker(&["run", "--ip", "10.10.0.40", "bash", "-c", talk]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut run = Stranger(run.unwrap());
    let mut accepted = None;
    wait_until("the connection from 10.10.0.40 to 10.10.0.30", || {
        accepted = listener.accept().ok();
        accepted.is_some() || run.0.try_wait().unwrap().is_some()
    });
    let (mut client, from) = accepted.expect("10.10.0.40 should reach 10.10.0.30");
    assert_eq!(from.ip(), IpAddr::from([10, 10, 0, 40]));
    client.write_all(b"hello\n").unwrap();
    drop(client);
    let mut heard = String::new();
    let mut stdout = run.0.stdout.take().unwrap();
    stdout.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "hello\n");
}

#[test]
#[ignore = "exercise"]
fn ex2_what_is_not_for_containers_is_refused() {
    need_bridges!();
    let place = Place::new();
    // Once as the first container, and once where there is a bridge already.
    for running in [false, true] {
        let container = running.then(|| place.start(&["--ip", "10.10.0.4"], WAITS));
        for address in [
            "10.10.0.0",
            "10.10.0.1",
            "10.10.0.255",
            "10.10.1.4",
            "10.9.255.254",
            "127.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "10.10.0",
            "10.10.0.256",
            "10.10.0.4/24",
            "::1",
            "web",
        ] {
            place.assert_refuses(&["--ip", address], &[2, 125], address);
        }
        if let Some(container) = container {
            container.stop();
        }
        wait_until("its veth go", || !is_connected());
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_an_address_is_given_once() {
    need_bridges!();
    let place = Place::new();
    let chosen = place.start(&["--ip", "10.10.0.3"], WAITS);
    place.assert_refuses(&["--ip", "10.10.0.3"], &[125], "10.10.0.3");
    let mut others = Vec::new();
    for _ in 0..3 {
        let other = place.start(&[], WAITS);
        let address = other.address();
        assert_ne!(
            address,
            chosen.address(),
            "two containers have the same address"
        );
        place.assert_refuses(&["--ip", &address], &[125], &address);
        others.push(other);
    }
    let another = place.start(&["--ip", "10.10.0.7"], WAITS);
    assert_eq!(another.address(), "10.10.0.7");
}

#[test]
#[ignore = "exercise"]
fn ex2_of_several_at_the_same_time_one_gets_it() {
    need_bridges!();
    let place = Place::new();
    // The bridge stays as it is.
    let _other = place.start(&[], WAITS);
    let run = || {
        let mut run = place.tiny_docker(&["run", "-d", "--ip", "10.10.0.50", "sleep", "1000"]);
        let run = run.stdout(Stdio::piped()).stderr(Stdio::piped());
        run.spawn().unwrap()
    };
    let runs: Vec<_> = (0..4).map(|_| run()).collect();
    let seen = runs.into_iter().map(|run| run.wait_with_output().unwrap());
    let (started, refused): (Vec<_>, Vec<_>) =
        seen.map(Seen::from).partition(|seen| seen.code == Some(0));
    for seen in &started {
        place.see(&["stop", "-t", "0", seen.stdout.trim()]);
    }
    for seen in &refused {
        seen.assert_refused(&[125], "10.10.0.50");
    }
    assert_eq!(started.len(), 1, "10.10.0.50 was given more than once");
}

#[test]
#[ignore = "exercise"]
fn ex2_afterwards_it_is_free_again() {
    need_bridges!();
    let place = Place::new();
    let _other = place.start(&[], WAITS);
    let gets_it = || {
        let seen = place.see(&["run", "--ip", "10.10.0.60", "true"]);
        seen.code == Some(0)
    };
    for end in [Background::stop, Background::abandon] {
        let container = place.start(&["--ip", "10.10.0.60"], WAITS);
        place.assert_refuses(&["--ip", "10.10.0.60"], &[125], "10.10.0.60");
        end(&container);
        // The kernel may need a moment for it.
        wait_until("10.10.0.60 free again", gets_it);
        wait_until("10.10.0.60 free once more", gets_it);
        let veths = || devices().into_iter().filter(|it| it.starts_with("td0-"));
        wait_until("its veth go", || veths().count() == 1);
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_without_a_bridge_there_is_no_address() {
    let place = Place::new();
    // Or else it is not understood at all.
    let help = place.see(&["run", "--help"]).stdout;
    assert!(help.contains("--ip "), "run has no option --ip yet");
    for net in ["isolated", "none", "host"] {
        let options = ["--net", net, "--ip", "10.10.0.4"];
        place.assert_refuses(&options, &[2, 125], "--ip");
    }
}

// Exercise 3: run -p HOST:CONTAINER

#[test]
#[ignore = "exercise"]
fn ex3_the_port_leads_to_the_container() {
    need_ports!();
    let place = Place::new();
    let machine = other_machine();
    let pid = machine.0.id() as i32;
    for option in ["-p", "--publish"] {
        let container = place.start(&[option, "8080:80"], WAITS);
        let listener = container.listen(80);
        let client = within(pid, || connect(HOST, 8080));
        assert_leads_to(client, &listener, "192.0.2.1:8080, from another machine");
        let client = connect(HOST, 8080);
        assert_leads_to(client, &listener, "192.0.2.1:8080, from the host itself");
        drop(listener);
        container.stop();
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_each_port_leads_to_its_own() {
    need_ports!();
    let place = Place::new();
    let machine = other_machine();
    let pid = machine.0.id() as i32;
    let first = place.start(&["-p", "8080:80", "-p", "8443:443"], WAITS);
    let second = place.start(&["-p", "8081:80"], WAITS);
    for (container, inside, outside) in
        [(&first, 80, 8080), (&first, 443, 8443), (&second, 80, 8081)]
    {
        let listener = container.listen(inside);
        let what = format!("192.0.2.1:{outside}");
        assert_leads_to(within(pid, || connect(HOST, outside)), &listener, &what);
        assert_leads_to(connect(HOST, outside), &listener, &what);
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_all_other_ports_stay_closed() {
    need_ports!();
    let place = Place::new();
    let machine = other_machine();
    let pid = machine.0.id() as i32;
    let container = place.start(&["-p", "8080:80"], WAITS);
    let listeners = [80, 81].map(|port| container.listen(port));
    let client = within(pid, || connect(HOST, 8080));
    assert_leads_to(client, &listeners[0], "192.0.2.1:8080");
    let inside = container.address().parse().unwrap();
    for (address, port) in [(HOST, 80), (HOST, 81), (HOST, 8081), (inside, 81)] {
        let client = within(pid, || connect(address, port));
        assert!(
            client.is_err(),
            "{address}:{port} can be reached from another machine, and only 8080 is published"
        );
    }
    // What listens on other machines at a port of that number has nothing to do with it.
    let listener = within(pid, || TcpListener::bind((OTHER, 8080))).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_leads_to(connect(OTHER, 8080), &listener, "192.0.2.2:8080");
    let client = within(container.pid, || connect(OTHER, 8080));
    assert_leads_to(client, &listener, "192.0.2.2:8080, from the container");
}

#[test]
#[ignore = "exercise"]
fn ex3_a_port_is_published_once() {
    need_ports!();
    let place = Place::new();
    let machine = other_machine();
    let pid = machine.0.id() as i32;
    let container = place.start(&["-p", "8080:80"], WAITS);
    let listener = container.listen(80);
    for options in [
        &["-p", "8080:80"][..],
        &["-p", "8080:81"],
        &["-p", "8081:80", "-p", "8080:80"],
    ] {
        place.assert_refuses(options, &[125], "8080");
        let client = within(pid, || connect(HOST, 8080));
        assert_leads_to(client, &listener, "192.0.2.1:8080, as before");
    }
    place.assert_refuses(&["-p", "8082:80", "-p", "8082:81"], &[2, 125], "8082");
    // Of those that were refused, nothing is published.
    place.run(&["-p", "8081:80", "-p", "8082:80"], "true");
}

#[test]
#[ignore = "exercise"]
fn ex3_only_the_ports_of_the_container_that_ends_are_closed() {
    need_ports!();
    let place = Place::new();
    let machine = other_machine();
    let pid = machine.0.id() as i32;
    let ending = place.start(&["-p", "8080:80"], WAITS);
    let staying = place.start(&["-p", "8081:80", "-p", "8082:82"], WAITS);
    let listeners = [80, 82].map(|port| staying.listen(port));
    ending.stop();
    wait_until("the rules about port 8080 go", || !rules().contains("8080"));
    // Nor does the end of one that has published nothing.
    place.run(&[], "true");
    place.run(&["--net", "isolated"], "true");
    for (port, listener) in [8081, 8082].iter().zip(&listeners) {
        let client = within(pid, || connect(HOST, *port));
        let what = format!("192.0.2.1:{port}, after another container has ended");
        assert_leads_to(client, listener, &what);
    }
    let next = place.start(&["-p", "8080:80"], WAITS);
    let listener = next.listen(80);
    let client = within(pid, || connect(HOST, 8080));
    assert_leads_to(client, &listener, "192.0.2.1:8080, published again");
    drop((listener, listeners));
    next.stop();
    staying.stop();
    wait_until("all ports go with the last container", || {
        !rules().contains("808")
    });
}

#[test]
#[ignore = "exercise"]
fn ex3_where_the_run_is_killed_the_next_container_does_not_inherit_the_port() {
    need_ports!();
    let place = Place::new();
    let machine = other_machine();
    let pid = machine.0.id() as i32;
    let _other = place.start(&[], WAITS);
    let killed = place.start(&["-p", "8080:80"], WAITS);
    let address = killed.address();
    killed.abandon();
    let mut next = None;
    wait_until("its address given to another container", || {
        let container = place.start(&[], WAITS);
        let same = container.address() == address;
        next = Some(container);
        same
    });
    let next = next.unwrap();
    let listener = next.listen(80);
    let client = within(pid, || connect(HOST, 8080));
    assert!(
        client.is_err(),
        "port 8080 of a container whose run was killed leads to the next one with that address"
    );
    drop(listener);
    let again = place.start(&["-p", "8080:80"], WAITS);
    let listener = again.listen(80);
    let client = within(pid, || connect(HOST, 8080));
    assert_leads_to(client, &listener, "192.0.2.1:8080, published again");
}

#[test]
#[ignore = "exercise"]
fn ex3_what_is_no_pair_of_ports_is_refused() {
    need_ports!();
    let place = Place::new();
    place.run(&["-p", "8080:80"], "true");
    wait_until("its veth go", || !is_connected());
    for value in [
        "8080",
        "8080:",
        ":80",
        ":",
        "0:80",
        "8080:0",
        "65536:80",
        "8080:65536",
        "-1:80",
        "http:80",
        "8080:80:81",
        "80 80:80",
        "8080:80 }; flush ruleset",
    ] {
        place.assert_refuses(&[&format!("-p{value}")], &[2], value);
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_without_a_bridge_there_is_nothing_to_publish() {
    let place = Place::new();
    let help = place.see(&["run", "--help"]).stdout;
    assert!(help.contains("-p, --publish"), "run has no option -p yet");
    for net in ["isolated", "none", "host"] {
        place.assert_refuses(&["--net", net, "-p", "8080:80"], &[2, 125], "--");
    }
}
