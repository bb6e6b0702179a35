//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day08-netns --test exercises -- --ignored ex1

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin, geteuid};
use serde_json::Value;
use tempfile::TempDir;

/// Waits for its end.
const WAITS: &str = "echo ready; exec sleep 1000";

/// A setting of which each network has its own, and which root may change in a user namespace, too.
const PORTS: &str = "net.ipv4.ip_unprivileged_port_start";
const PORTS_FILE: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

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
        // Below it, there may be a hint: ours, or clap's.
        let hints = [
            "hint: ",
            "  tip: ",
            "For more information",
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

/// A state directory for one test.
struct Place {
    state: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            state: TempDir::new().unwrap(),
        };
        let built = place.see(&["run", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
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

    /// A container that has ended, with the exit code 3.
    fn start_and_end(&self, options: &[&str]) -> Background<'_> {
        let container = self.start(options, "echo ready; exit 3");
        assert_eq!(container.exit_code(), 3);
        container
    }

    /// How many records there are, finished or not.
    fn count_records(&self) -> usize {
        let containers = self.state.path().join("containers");
        fs::read_dir(containers).unwrap().count()
    }

    /// The table of `ps -a`: the columns are at least three blanks apart.
    fn table(&self) -> Vec<Vec<String>> {
        let seen = self.see(&["ps", "-a"]);
        assert_eq!((seen.code, &*seen.stderr), (Some(0), ""));
        let columns = |line: &str| {
            let columns = line.split("   ").map(|column| column.trim().to_owned());
            columns.filter(|column| !column.is_empty()).collect()
        };
        seen.stdout.lines().map(columns).collect()
    }

    /// What `ps -a` says in the column NET about a container.
    fn net_of(&self, container: &Background) -> String {
        let table = self.table();
        assert!(
            table[0].get(3).is_some_and(|heading| heading == "NET"),
            "the fourth column should be NET, and the headings are {:?}",
            table[0]
        );
        let row = table.iter().find(|row| row[0] == container.id);
        row.expect("ps -a should list it")[3].clone()
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

    /// Changes the record, behind the program's back.
    fn change_record(&self, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
        let mut record = self.record();
        change(record.as_object_mut().unwrap());
        let new = self.place.state.path().join("changed.json");
        fs::write(&new, record.to_string()).unwrap();
        fs::rename(&new, self.directory().join("config.json")).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory().join("container.log")).unwrap_or_default()
    }

    /// Its exit code, once it has ended.
    fn exit_code(&self) -> i64 {
        wait_until("the exit code in the record", || {
            !self.record()["exit_code"].is_null()
        });
        self.record()["exit_code"].as_i64().unwrap()
    }

    /// Which namespace of `kind` it has.
    fn namespace(&self, kind: &str) -> String {
        let link = fs::read_link(format!("/proc/{}/ns/{kind}", self.pid)).unwrap();
        link.to_str().unwrap().to_owned()
    }

    /// A socket that listens at a port of its 127.0.0.1.
    fn listener(&self) -> (TcpListener, u16) {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000");
        let namespaces = match geteuid().is_root() {
            true => &["net"][..],
            // It is root in there who may enter the network.
            false => &["user", "net"],
        };
        let files = namespaces
            .iter()
            .map(|kind| File::open(format!("/proc/{}/ns/{kind}", self.pid)).unwrap());
        let files: Vec<_> = files.collect();
        let listen = move || -> io::Result<()> {
            for file in &files {
                setns(file, CloneFlags::empty())?;
            }
            dup2_stdin(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)?;
            Ok(())
        };
        // A socket belongs to the network that its process was in. This process cannot go there: it has threads,
        // and a user namespace is entered alone.
        // SAFETY: between fork and exec, system calls.
        let mut listening = Stranger(unsafe { sleep.pre_exec(listen) }.spawn().unwrap());
        let listener = TcpListener::from(descriptor_of(&mut listening.0, 0).unwrap());
        let port = listener.local_addr().unwrap().port();
        (listener, port)
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

/// A process that has nothing to do with any container.
struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A copy of a child's open descriptor: pidfd_getfd(2).
fn descriptor_of(child: &mut Child, fd: i32) -> nix::Result<OwnedFd> {
    let call = |number, arguments: [i64; 3]| {
        // SAFETY: pidfd_open(2) and pidfd_getfd(2) take numbers.
        let fd = Errno::result(unsafe {
            libc::syscall(number, arguments[0], arguments[1], arguments[2])
        });
        // SAFETY: it is new, and nobody else's.
        fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
    };
    let pidfd = call(libc::SYS_pidfd_open, [child.id().into(), 0, 0])?;
    call(
        libc::SYS_pidfd_getfd,
        [pidfd.as_raw_fd().into(), fd.into(), 0],
    )
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

/// From here on, "the host" is a network of this test's own: where a solution goes wrong, root's real one stays
/// as it is. (An ordinary user cannot change that anyway.)
fn leave_the_host_alone() {
    if geteuid().is_root() {
        // For this thread, and what it starts.
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
    }
}

// Exercise 1: a column NET in ps

#[test]
#[ignore = "exercise"]
fn ex1_ps_shows_what_a_container_sees_of_the_network() {
    let place = Place::new();
    let headings = ["CONTAINER ID", "PID", "STATUS", "NET", "COMMAND"];
    assert_eq!(
        place.table()[0],
        headings,
        "NET should come after STATUS, and nothing else should change"
    );
    for (options, net) in [
        (&[][..], "isolated"),
        (&["--net", "isolated"], "isolated"),
        (&["--net", "none"], "isolated"),
        (&["--net", "host"], "host"),
    ] {
        let container = place.start(options, WAITS);
        assert_eq!(place.net_of(&container), net, "after run {options:?}");
        let table = place.table();
        let row = table.iter().find(|row| row[0] == container.id).unwrap();
        assert_eq!(
            (&row[1], &*row[2]),
            (&container.pid.to_string(), "running"),
            "the columns before it should stay as they are"
        );
        assert!(
            row[4].starts_with("sh -c"),
            "the command should come after it"
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_it_is_shown_of_a_container_that_has_ended_too() {
    let place = Place::new();
    for (net, shown) in [("none", "isolated"), ("host", "host")] {
        let container = place.start_and_end(&["--net", net]);
        assert_eq!(place.net_of(&container), shown, "after run --net {net}");
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_a_container_of_an_earlier_day_had_the_hosts_network() {
    let place = Place::new();
    let container = place.start_and_end(&[]);
    // As the program of day 7 wrote it.
    container.change_record(|record| drop(record.remove("net")));
    assert_eq!(
        place.net_of(&container),
        "host",
        "there was no other network before day 8"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_the_columns_stay_aligned() {
    let place = Place::new();
    // With one that is longer than the heading, and one that is not.
    for net in ["host", "isolated"] {
        place.run(&["--net", net], "true");
        let printed = place.see(&["ps", "-a"]).stdout;
        let mut lines = printed.lines();
        let headings = lines.next().unwrap();
        let [net, command] = ["NET", "COMMAND"].map(|heading| headings.find(heading));
        for line in lines {
            let begins = |column: Option<usize>| {
                let (before, rest) = line.split_at(column.unwrap_or(0));
                before.ends_with("   ") && !rest.starts_with(' ')
            };
            assert!(
                begins(net) && begins(command),
                "NET and COMMAND should begin where their headings do, three blanks after the column before:\n\
                 {printed}"
            );
        }
    }
}

// Exercise 2: run --sysctl KEY=VALUE

#[test]
#[ignore = "exercise"]
fn ex2_the_container_has_the_setting_and_the_host_does_not() {
    leave_the_host_alone();
    let place = Place::new();
    let before = fs::read_to_string(PORTS_FILE).unwrap();
    for options in [&[][..], &["--init"], &["--net", "none"]] {
        let setting = format!("{PORTS}=81");
        let options = [options, &["--sysctl", &setting]].concat();
        let cat = format!("cat {PORTS_FILE}");
        assert_eq!(
            place.run(&options, &cat),
            "81\n",
            "after run {options:?}, that is what its command should find"
        );
    }
    let now = fs::read_to_string(PORTS_FILE).unwrap();
    assert_eq!(now, before, "the host's setting has changed");
}

#[test]
#[ignore = "exercise"]
fn ex2_in_the_background_too() {
    leave_the_host_alone();
    let place = Place::new();
    let setting = format!("{PORTS}=82");
    let script = format!("cat {PORTS_FILE}; {WAITS}");
    let container = place.start(&["--sysctl", &setting], &script);
    assert_eq!(container.log(), "82\nready\n");
    let listed = place.see(&["ps"]);
    assert!(
        listed.stdout.contains(&container.id),
        "ps should list it. On stderr: {}",
        listed.stderr
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_it_can_be_given_more_than_once() {
    leave_the_host_alone();
    let place = Place::new();
    let ports = format!("{PORTS}=83");
    let options = [
        "--sysctl",
        &ports,
        "--sysctl",
        "net.ipv4.ping_group_range=0 0",
    ];
    let script = format!("cat {PORTS_FILE} /proc/sys/net/ipv4/ping_group_range");
    assert_eq!(
        place.run(&options, &script),
        "83\n0\t0\n",
        "both settings should be there, and a value may have blanks in it"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_what_is_not_the_networks_is_refused() {
    leave_the_host_alone();
    let place = Place::new();
    place.run(&["--sysctl", &format!("{PORTS}=84")], "true");
    // Each with a value that does no harm: of the host name's domain a container has its own.
    let limit = fs::read_to_string("/proc/sys/user/max_uts_namespaces").unwrap();
    let limit = limit.trim();
    let [domain, limits] = ["kernel.domainname", "user.max_uts_namespaces"];
    for (key, value) in [
        (domain, "escaped"),
        (limits, limit),
        ("network.name", "1"),
        ("net", "1"),
    ] {
        let seen = place.try_to(&["run", "--sysctl", &format!("{key}={value}"), "echo", "ran"]);
        seen.assert_refused(&[2, 125], key);
    }
    // Keys that begin well, and go on with "..", in each of the ways to write a path that sysctl(8) knows.
    for up in [
        "net/../",
        "net.//.",
        "net.../",
        "net...",
        "net.ipv4/../../",
        "net.ipv4.//.//.",
        "net/ipv4/../../",
    ] {
        for (key, value) in [(domain, "escaped"), (limits, limit)] {
            for key in [key.to_owned(), key.replace('.', "/")] {
                let key = format!("{up}{key}");
                let setting = format!("{key}={value}");
                let seen = place.try_to(&["run", "--sysctl", &setting, "echo", "ran"]);
                assert_eq!(
                    seen.stdout, "",
                    "--sysctl {setting} has led out of /proc/sys/net"
                );
                seen.assert_refused(&[2, 125], &key);
            }
        }
    }
    // A key without a value.
    let seen = place.try_to(&["run", "--sysctl", PORTS, "echo", "ran"]);
    seen.assert_refused(&[2, 125], PORTS);
}

#[test]
#[ignore = "exercise"]
fn ex2_with_the_hosts_network_it_is_refused() {
    leave_the_host_alone();
    let place = Place::new();
    let setting = format!("{PORTS}=85");
    place.run(&["--sysctl", &setting], "true");
    let before = fs::read_to_string(PORTS_FILE).unwrap();
    let records = place.count_records();
    let seen = place.try_to(&["run", "--net", "host", "--sysctl", &setting, "echo", "ran"]);
    let now = fs::read_to_string(PORTS_FILE).unwrap();
    assert_eq!(now, before, "the host's setting has changed");
    seen.assert_refused(&[2, 125], "host");
    assert_eq!(place.count_records(), records, "it should leave no record");
}

#[test]
#[ignore = "exercise"]
fn ex2_what_the_kernel_refuses_ends_the_run() {
    leave_the_host_alone();
    let place = Place::new();
    place.run(&["--sysctl", &format!("{PORTS}=86")], "true");
    let records = place.count_records();
    for (key, value, cause) in [
        (PORTS, "many", "Invalid argument"),
        (PORTS, "65537", "Invalid argument"),
        (PORTS, "", "Invalid argument"),
        ("net.ipv4.no_such_setting", "1", ""),
    ] {
        let setting = format!("{key}={value}");
        let seen = place.try_to(&["run", "--sysctl", &setting, "echo", "ran"]);
        seen.assert_refused(&[125], key);
        assert!(
            seen.stderr.contains(cause),
            "at --sysctl {setting}, the kernel says {cause}, and stderr is:\n{}",
            seen.stderr
        );
        assert_eq!(place.count_records(), records, "it should leave no record");
    }
}

// Exercise 3: run --net container:ID

#[test]
#[ignore = "exercise"]
fn ex3_both_containers_have_one_network_and_nothing_else_in_common() {
    let place = Place::new();
    let first = place.start(&[], WAITS);
    for option in ["--net", "--network"] {
        // As everywhere, the beginning of an id will do.
        for id in [&first.id, &first.id[..8]] {
            let net = format!("container:{id}");
            assert_eq!(
                place.run(&[option, &net], "readlink /proc/self/ns/net"),
                format!("{}\n", first.namespace("net")),
                "run {option} {net} should have the network of that container"
            );
        }
    }
    let net = format!("container:{}", first.id);
    let second = place.start(&["--net", &net], WAITS);
    assert_eq!(second.namespace("net"), first.namespace("net"));
    for kind in ["mnt", "pid", "uts"] {
        assert_ne!(
            second.namespace(kind),
            first.namespace(kind),
            "only the network should be the same, and {kind} is, too"
        );
    }
    let listed = place.see(&["ps"]);
    assert!(
        listed.stdout.contains(&second.id),
        "ps should list it. On stderr: {}",
        listed.stderr
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_what_listens_in_the_first_can_be_reached_from_the_second() {
    let place = Place::new();
    let first = place.start(&[], WAITS);
    let (listener, port) = first.listener();
    let answering = thread::spawn(move || {
        let (mut client, _) = listener.accept()?;
        client.write_all(b"hello\n")
    });
    let net = format!("container:{}", first.id);
    let connect = format!("exec cat </dev/tcp/127.0.0.1/{port}");
    let seen = place.see(&["run", "--net", &net, "bash", "-c", &connect]);
    assert_eq!(
        (seen.code, &*seen.stdout),
        (Some(0), "hello\n"),
        "port {port} of the first one's 127.0.0.1 should answer. On stderr: {}",
        seen.stderr
    );
    answering.join().unwrap().unwrap();
}

#[test]
#[ignore = "exercise"]
fn ex3_the_network_stays_when_the_first_container_ends() {
    let place = Place::new();
    let first = place.start(&[], WAITS);
    let namespace = first.namespace("net");
    let net = format!("container:{}", first.id);
    let second = place.start(&["--net", &net], WAITS);
    let seen = place.see(&["stop", "-t", "0", &first.id]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(second.namespace("net"), namespace);
    // And a third one can have it from the second.
    let net = format!("container:{}", second.id);
    let third = place.run(&["--net", &net], "readlink /proc/self/ns/net");
    assert_eq!(third, format!("{namespace}\n"));
    let seen = place.see(&["stop", "-t", "0", &second.id]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(second.record()["status"], "stopped");
}

#[test]
#[ignore = "exercise"]
fn ex3_no_running_container_no_network() {
    let place = Place::new();
    let running = place.start(&[], WAITS);
    place.run(&["--net", &format!("container:{}", running.id)], "true");
    let ended = place.start_and_end(&[]);
    let records = place.count_records();
    for id in [&ended.id, "000000000000", "no-such-id", ""] {
        let net = format!("container:{id}");
        let seen = place.try_to(&["run", "--net", &net, "readlink", "/proc/self/ns/net"]);
        let host = fs::read_link("/proc/self/ns/net").unwrap();
        assert_ne!(
            seen.stdout.trim(),
            host.to_str().unwrap(),
            "run --net {net} has given the host's network away"
        );
        seen.assert_refused(&[125], id);
        assert_eq!(place.count_records(), records, "it should leave no record");
    }
    for net in ["container", "containers:0", "nonsense"] {
        let seen = place.try_to(&["run", "--net", net, "echo", "ran"]);
        seen.assert_refused(&[2, 125], net);
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_the_network_of_a_process_that_has_got_the_pid_since_stays_closed() {
    let place = Place::new();
    let running = place.start(&[], WAITS);
    place.run(&["--net", &format!("container:{}", running.id)], "true");
    let container = place.start_and_end(&[]);
    // One with a network that could be entered.
    let namespaces = if geteuid().is_root() { "-n" } else { "-rn" };
    let mut unshare = Command::new("unshare");
    unshare.args([namespaces, "sleep", "1000"]);
    let stranger = Stranger(unshare.spawn().unwrap());
    let command_line = format!("/proc/{}/cmdline", stranger.0.id());
    wait_until("the stranger in its network", || {
        fs::read(&command_line).is_ok_and(|line| line.starts_with(b"sleep"))
    });
    // "running" is what a run that was itself killed has left.
    for status in ["exited", "running"] {
        container.change_record(|record| {
            record["status"] = status.into();
            record["pid"] = stranger.0.id().into();
            record["start_time"] = 1.into();
        });
        let net = format!("container:{}", container.id);
        let seen = place.try_to(&["run", "--net", &net, "echo", "ran"]);
        assert_eq!(
            seen.stdout, "",
            "the record ({status}) has the pid of a container that has ended, and the network is that of the \
             process that has that pid now"
        );
        seen.assert_refused(&[125], &container.id);
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_the_other_networks_are_as_before() {
    let place = Place::new();
    let first = place.start(&[], WAITS);
    place.run(&["--net", &format!("container:{}", first.id)], "true");
    let here = fs::read_link("/proc/self/ns/net").unwrap();
    let host = format!("{}\n", here.to_str().unwrap());
    let isolated = format!("{}\n", first.namespace("net"));
    let see = |options: &[&str]| place.run(options, "readlink /proc/self/ns/net");
    assert_eq!(see(&["--net", "host"]), host);
    for options in [&[][..], &["--net", "isolated"], &["--net", "none"]] {
        let own = see(options);
        assert!(
            own != host && own != isolated,
            "run {options:?} should have a network of its own"
        );
    }
}
