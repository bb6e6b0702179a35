//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs root. Its host is a network namespace of its own, so the machine's network stays as it is.

use std::io::Read;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
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

/// A container that is ended with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Starts a container, and returns when its ports are published.
fn start(place: &TempDir, options: &[&str], line: &str) -> Running {
    let line = format!("trap 'exit 0' TERM; {line}");
    let run = command(place, options, &["bash", "-c", &line]).spawn();
    let run = Running(run.unwrap());
    wait_until("a port", || TcpStream::connect("127.0.0.1:8080").is_ok());
    run
}

/// What a server at this port of the host says, and after how long.
fn call(port: u16) -> (String, Duration) {
    let start = Instant::now();
    let mut said = String::new();
    let mut call = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // If the other side hangs up, that may be an error.
    let _ = call.read_to_string(&mut said);
    (said, start.elapsed())
}

/// Says "served" to whoever calls port 80 of the container.
const SERVE: &str = r#"serve() { perl -e 'socket(S, 2, 1, 0); bind(S, pack("S n x12", 2, 80)) or die $!; listen(S, 9);
        while (accept(C, S)) { print C "served\n"; close C }'; }"#;

#[test]
#[ignore = "exercise 1"]
fn ex1_whoever_calls_too_early_is_answered() {
    let Some(place) = place() else { return };
    let line = format!("{SERVE}; sleep 2; serve & wait");
    let _web = start(&place, &["-p", "8080:80"], &line);
    let (said, after) = call(8080);
    assert_eq!(
        said, "served\n",
        "after {after:?}, from a server that starts late"
    );
    let (said, after) = call(8080);
    assert_eq!(said, "served\n");
    assert!(
        after < Duration::from_secs(1),
        "now at once, and not after {after:?}"
    );
}

#[test]
#[ignore = "exercise 1"]
fn ex1_patience_has_an_end() {
    let Some(place) = place() else { return };
    let _nobody = start(&place, &["-p", "8080:80"], "sleep 1000 & wait");
    let (said, after) = call(8080);
    assert_eq!(said, "");
    let range = Duration::from_secs(4)..Duration::from_secs(8);
    assert!(
        range.contains(&after),
        "nobody listens, and the proxy gives up after {after:?}"
    );
}

#[test]
#[ignore = "exercise 1"]
fn ex1_nobody_else_waits() {
    let Some(place) = place() else { return };
    let ports = ["-p", "8080:80", "-p", "8081:81"];
    let line = format!("{SERVE}; serve & sleep 3; kill $!");
    let mut run = start(&place, &ports, &line);
    let waits = TcpStream::connect("127.0.0.1:8081").unwrap();
    let (said, after) = call(8080);
    assert_eq!(said, "served\n");
    assert!(
        after < Duration::from_secs(2),
        "{after:?}: another caller waits, too"
    );
    // One more, just before the end.
    sleep(Duration::from_millis(1500));
    let late = TcpStream::connect("127.0.0.1:8081").unwrap();
    wait_until("the container's end", || {
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        !devices.contains("td0-") || run.0.try_wait().unwrap().is_some()
    });
    let start = Instant::now();
    wait_until("the end of run", || run.0.try_wait().unwrap().is_some());
    let after = start.elapsed();
    assert!(
        after < Duration::from_secs(1),
        "run ended {after:?} after its container"
    );
    drop((waits, late));
}
