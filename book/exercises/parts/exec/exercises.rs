//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Bits of a set of capabilities: capabilities(7).
const CHOWN: u64 = 1 << 0;
const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    /// With a container that has these `options`.
    fn new(options: &[&str]) -> Self {
        let place = Self(TempDir::new().unwrap());
        let run = ["run", "-d", "--net", "isolated", "--name", "it"];
        let seen = place.see(&[&run[..], options, &["sleep", "1000"]].concat());
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        place
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        let output = command
            .env("TINY_DOCKER_ROOT", self.0.path())
            .output()
            .unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The capabilities that a command has after `exec` with these `options`: effective and bounding.
    fn capabilities(&self, options: &[&str]) -> [u64; 2] {
        let grep = ["it", "grep", "-E", "^Cap(Eff|Bnd)", "/proc/self/status"];
        let seen = self.see(&[&["exec"], options, &grep].concat());
        assert_eq!(seen.code, Some(0), "exec {options:?}: {}", seen.stderr);
        let sets = seen.stdout.lines().map(|line| {
            let (_, set) = line.split_once(":\t").unwrap();
            u64::from_str_radix(set, 16).unwrap()
        });
        sets.collect::<Vec<_>>().try_into().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.see(&["rm", "-f", "it"]);
    }
}

#[test]
#[ignore = "exercise 1: exec --cap-drop"]
fn ex1_the_command_may_have_less_than_its_container() {
    let place = Place::new(&[]);
    let [its, _] = place.capabilities(&[]);
    assert_eq!(
        place.capabilities(&["--cap-drop", "net_raw"]),
        [its & !NET_RAW; 2]
    );
    let two = ["--cap-drop", "CAP_CHOWN", "--cap-drop=NET_RAW"];
    assert_eq!(place.capabilities(&two), [its & !NET_RAW & !CHOWN; 2]);
    assert_eq!(place.capabilities(&["--cap-drop", "all"]), [0; 2]);
    // Another user has no capabilities anyway, and none to regain.
    if place.see(&["exec", "-u", "nobody", "it", "true"]).code == Some(0) {
        let sets = place.capabilities(&["-u", "nobody", "--cap-drop", "NET_RAW"]);
        assert_eq!(sets, [0, its & !NET_RAW]);
    }
    // Only that one command has less.
    assert_eq!(place.capabilities(&[]), [its; 2]);
}

#[test]
#[ignore = "exercise 1: exec --cap-drop"]
fn ex1_and_never_more() {
    let place = Place::new(&["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"]);
    assert_eq!(place.capabilities(&["--cap-drop", "CHOWN"]), [NET_ADMIN; 2]);
    assert_eq!(place.capabilities(&["--cap-drop", "NET_ADMIN"]), [0; 2]);
    let more = place.see(&["exec", "--cap-add", "CHOWN", "it", "true"]);
    assert_eq!(more.code, Some(125), "exec has no --cap-add");
}

#[test]
#[ignore = "exercise 1: exec --cap-drop"]
fn ex1_an_unknown_capability_is_a_usage_error() {
    let place = Place::new(&[]);
    assert_eq!(place.capabilities(&["--cap-drop", "ALL"]), [0; 2]);
    let seen = place.see(&["exec", "--cap-drop", "FLYING", "it", "true"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert!(seen.stderr.contains("FLYING"), "{}", seen.stderr);
}
