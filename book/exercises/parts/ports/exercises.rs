//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs root. Its host is a network namespace of its own, so the machine's network stays as it is.

use std::process::{Command, Output, Stdio};

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

fn see(place: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.args(arguments).stdin(Stdio::null());
    command.env("TINY_DOCKER_ROOT", place.path());
    let seen = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&seen.stderr);
    let known = !stderr.contains("unrecognized subcommand");
    assert!(known, "{arguments:?} is not understood yet:\n{stderr}");
    seen
}

/// A container that waits, by its id. It ends with this value.
struct Waiting<'a>(&'a TempDir, String);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        see(self.0, &["stop", "-t", "0", &self.1]);
    }
}

fn waiting<'a>(place: &'a TempDir, options: &[&str]) -> Waiting<'a> {
    let seen = see(
        place,
        &[&["run", "-d"], options, &["sleep", "1000"]].concat(),
    );
    assert!(seen.status.success(), "{seen:?}");
    let id = String::from_utf8(seen.stdout).unwrap();
    Waiting(place, id.trim().to_owned())
}

fn assert_prints(place: &TempDir, arguments: &[&str], expected: &str) {
    let seen = see(place, arguments);
    let stdout = String::from_utf8_lossy(&seen.stdout);
    let stderr = String::from_utf8_lossy(&seen.stderr);
    assert_eq!(
        (seen.status.code(), &*stdout),
        (Some(0), expected),
        "{arguments:?}; on stderr: {stderr}"
    );
}

#[test]
#[ignore = "exercise 1"]
fn ex1_each_port_has_a_line() {
    let Some(place) = place() else { return };
    let options = ["-p", "9000:90/udp", "-p", "127.0.0.1:8080:80", "-p", "81"];
    let waiting = waiting(&place, &options);
    let id = waiting.1.as_str();
    let chosen = see(&place, &["port", id, "81"]);
    let chosen = String::from_utf8(chosen.stdout).unwrap();
    let number: u16 = chosen
        .trim()
        .strip_prefix("0.0.0.0:")
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("where port 81 is: {chosen:?}"));
    let all =
        format!("80/tcp -> 127.0.0.1:8080\n81/tcp -> 0.0.0.0:{number}\n90/udp -> 0.0.0.0:9000\n");
    assert_prints(&place, &["port", id], &all);
    assert_prints(&place, &["port", &id[..6]], &all);
    assert_prints(&place, &["port", id, "80"], "127.0.0.1:8080\n");
    assert_prints(&place, &["port", id, "80/tcp"], "127.0.0.1:8080\n");
    assert_prints(&place, &["port", id, "90/udp"], "0.0.0.0:9000\n");
    for port in ["90", "8080", "82/tcp"] {
        let seen = see(&place, &["port", id, port]);
        let stderr = String::from_utf8_lossy(&seen.stderr);
        let one_line = stderr.lines().count() == 1 && stderr.contains(port);
        assert!(one_line, "one line about {port}, and not: {stderr}");
        assert_eq!((seen.status.code(), &*seen.stdout), (Some(1), &b""[..]));
    }
    see(&place, &["stop", "-t", "0", id]);
    assert_prints(&place, &["port", id], "");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_who_has_published_nothing_has_no_ports() {
    let Some(place) = place() else { return };
    let waiting = waiting(&place, &[]);
    assert_prints(&place, &["port", &waiting.1], "");
    let seen = see(&place, &["port", "no-such-container"]);
    assert_eq!(seen.status.code(), Some(1), "{seen:?}");
}
