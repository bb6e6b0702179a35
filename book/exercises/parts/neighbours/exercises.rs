//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs root. Its host is a network namespace of its own, so the machine's network stays as it is.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

/// Runs a line on the test's host.
fn host(line: &str) {
    let seen = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(seen.status.success(), "{line}: {seen:?}");
}

/// A state directory, and a host with nothing on it yet. None, aloud, where that cannot be.
fn place() -> Option<TempDir> {
    if !geteuid().is_root() {
        println!("skipped: needs root, to change a host's network");
        return None;
    }
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    host("ip link set lo up");
    Some(TempDir::new().unwrap())
}

fn command(place: &TempDir, options: &[&str], command: &[&str]) -> Command {
    let mut run = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    run.arg("run").args(options).args(command);
    run.env("TINY_DOCKER_ROOT", place.path());
    run.stdin(Stdio::null());
    run
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        sleep(Duration::from_millis(20));
    }
}

fn is_connected() -> bool {
    let devices = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    devices.contains("td0-")
}

/// What a container with these options prints.
fn run(place: &TempDir, options: &[&str], line: &str) -> Output {
    let mut run = command(place, options, &["bash", "-c", line]);
    let seen = run.output().unwrap();
    let stderr = String::from_utf8_lossy(&seen.stderr);
    let known = !stderr.contains("unexpected argument");
    assert!(known, "{options:?} is not understood yet:\n{stderr}");
    seen
}

/// A server on port 80 of a container, which ends with this value.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn serve(place: &TempDir, options: &[&str], address: &str) -> Server {
    let serve = r#"socket(S, 2, 1, 0); bind(S, pack("S n x12", 2, 80)) or die $!; listen(S, 9);
        $SIG{TERM} = sub { exit }; while (accept(C, S)) { print C "served\n"; close C }"#;
    let mut run = command(place, options, &["perl", "-e", serve]);
    let server = Server(run.spawn().unwrap(), address.to_owned());
    let call = format!("exec 3<>/dev/tcp/{address}/80 && cat <&3");
    wait_until("a server, which the host reaches", || {
        let call = Command::new("bash").args(["-c", &call]).output();
        call.unwrap().stdout == b"served\n"
    });
    server
}

/// Whether a container with these options reaches the server.
fn reaches(place: &TempDir, options: &[&str], server: &Server) -> bool {
    let call = format!("exec 3<>/dev/tcp/{}/80 && cat <&3", server.1);
    let line = format!("timeout 2 bash -c '{call}'");
    let seen = run(place, options, &line);
    seen.stdout == b"served\n"
}

#[test]
#[ignore = "exercise 1"]
fn ex1_whoever_is_alone_reaches_nobody_who_is_alone() {
    let Some(place) = place() else { return };
    let alone = ["--alone"];
    run(&place, &alone, "true");
    let [first, second] = ["10.10.0.3", "10.10.0.4"];
    let shy = serve(&place, &alone, first);
    let open = serve(&place, &[], second);
    assert!(!reaches(&place, &alone, &shy), "both are --alone");
    assert!(reaches(&place, &[], &shy), "only the server is --alone");
    assert!(reaches(&place, &alone, &open), "only the caller is --alone");
    assert!(reaches(&place, &[], &open), "neither is --alone");
    let gateway = run(&place, &alone, "exec 3<>/dev/tcp/10.10.0.1/1");
    let stderr = String::from_utf8_lossy(&gateway.stderr);
    let answers = stderr.contains("Connection refused");
    assert!(answers, "the host is no neighbour, but: {stderr}");
    drop((shy, open));
    wait_until("the end of their network", || !is_connected());
}

#[test]
#[ignore = "exercise 1"]
fn ex1_without_the_bridge_the_option_does_nothing() {
    let Some(place) = place() else { return };
    let seen = run(&place, &["--net", "isolated", "--alone"], "echo hello");
    assert_eq!(seen.stdout, b"hello\n", "{seen:?}");
    assert!(!is_connected());
}
