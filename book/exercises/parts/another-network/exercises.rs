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
use nix::unistd::geteuid;
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
    run.env("TINY_DOCKER_ROOT", place.path())
        .env_remove("TINY_DOCKER_SUBNET");
    run.stdin(Stdio::null());
    run
}

fn run(place: &TempDir, options: &[&str], line: &str) -> Output {
    command(place, options, &["sh", "-c", line])
        .output()
        .unwrap()
}

/// The address that a container with these options has.
fn address(place: &TempDir, options: &[&str]) -> String {
    let seen = run(place, options, "ip -4 -oneline address show eth0");
    assert!(seen.status.success(), "{options:?} is refused: {seen:?}");
    let line = String::from_utf8(seen.stdout).unwrap();
    line.split_whitespace().nth(3).unwrap().to_owned()
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

/// Ends with this value.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
        wait_until("the end of its network", || !is_connected());
    }
}

/// A container that is connected as long as the result exists.
fn waiting(place: &TempDir, options: &[&str]) -> Waiting {
    let mut run = command(place, options, &["cat"]);
    let run = Waiting(run.stdin(Stdio::piped()).spawn().unwrap());
    wait_until("a container with a network", is_connected);
    run
}

#[test]
#[ignore = "exercise 1"]
fn ex1_auto_is_whatever_is_free() {
    let Some(place) = place() else { return };
    let auto = ["--subnet", "auto"];
    let first = address(&place, &auto);
    assert_eq!(first, "10.10.0.2/24", "nothing is taken");
    wait_until("the end of its network", || !is_connected());

    host("ip link del td0; ip link add vpn0 type bridge");
    host("ip addr add 10.10.0.1/16 dev vpn0; ip link set vpn0 up");
    let seen = address(&place, &auto);
    assert_eq!(seen, "10.123.0.2/24", "a VPN has that one");
    wait_until("the end of its network", || !is_connected());
    host("ip link del td0; ip addr add 10.123.0.1/24 dev vpn0");
    let seen = address(&place, &auto);
    assert_eq!(seen, "172.30.0.2/24", "it has the next one, too");
    wait_until("the end of its network", || !is_connected());

    // Whoever is there decides.
    let other = ["--subnet", "192.168.77.0/24"];
    let stays = waiting(&place, &other);
    let seen = address(&place, &auto);
    assert!(
        seen.starts_with("192.168.77."),
        "a container is on 192.168.77.0/24, and another one joins it, not {seen}"
    );
    drop(stays);

    host("ip link del td0; ip link del vpn0");
    host("ip link add all0 type bridge; ip link set all0 up");
    for taken in ["10.0.0.1/8", "172.30.0.1/16", "192.168.210.1/24"] {
        host(&format!("ip addr add {taken} dev all0"));
    }
    let seen = run(&place, &auto, "true");
    assert!(!seen.status.success(), "everything is taken: {seen:?}");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_everything_else_stays() {
    let Some(place) = place() else { return };
    assert_eq!(address(&place, &[]), "10.10.0.2/24");
    wait_until("the end of its network", || !is_connected());
    let seen = address(&place, &["--subnet", "10.20.0.0/24"]);
    assert!(seen.starts_with("10.20.0."), "{seen}");
    let seen = run(&place, &["--subnet", "automatic"], "true");
    assert!(!seen.status.success(), "that is no network: {seen:?}");
    // The second test fails, too, as long as `auto` is unknown.
    let seen = run(&place, &["--subnet", "auto", "--net", "isolated"], "true");
    assert!(seen.status.success(), "{seen:?}");
}
