//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, and a bit of a host.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let built = place.run(&["true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    /// A path on the host.
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Runs `tiny-docker run ARGUMENTS…` to its end.
    fn run(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(["run", "--net", "isolated"]).args(arguments);
        command.env("TINY_DOCKER_ROOT", self.0.path().join("state"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// That `script` prints `stdout` in a container with these `devices`.
    fn expect(&self, devices: &[&str], script: &str, stdout: &str) {
        let options = devices.iter().flat_map(|device| ["--device", device]);
        let arguments: Vec<_> = options.chain(["sh", "-c", script]).collect();
        let seen = self.run(&arguments);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(0), stdout),
            "run {}\nOn stderr: {}",
            arguments.join(" "),
            seen.stderr
        );
    }

    /// That no container starts with this `device`, and that the reason names it.
    fn refuse(&self, device: &str, reason: &str) {
        let seen = self.run(&["--device", device, "echo", "started"]);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "--device {device} should be refused. On stderr: {}",
            seen.stderr
        );
        assert!(
            seen.stderr.contains(reason),
            "--device {device}: stderr should contain '{reason}', and is: {}",
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise 1: run --device"]
fn ex1_a_device_has_the_name_that_it_is_given() {
    let place = Place::new();
    let read = "head -c 3 /dev/nothing | tr '\\0' z";
    place.expect(&["/dev/zero:/dev/nothing"], read, "zzz");
    let two = ["/dev/zero:/dev/nothing", "/dev/full:/dev/disk"];
    let both = format!("{read}; echo lost 2>/dev/null >/dev/disk || echo full");
    place.expect(&two, &both, "zzzfull\n");
    if Path::new("/dev/ptmx").exists() {
        place.expect(&["/dev/ptmx"], "test -c /dev/ptmx && echo there", "there\n");
    }
    // The usual ones are still there.
    place.expect(
        &two,
        "cat /dev/null; test -c /dev/tty && ls -d /dev/fd",
        "/dev/fd\n",
    );
}

#[test]
#[ignore = "exercise 1: run --device"]
fn ex1_links_on_the_host_are_the_hosts() {
    let place = Place::new();
    let link = place.path("link");
    symlink("/dev/zero", &link).unwrap();
    let device = format!("{link}:/dev/nothing");
    place.expect(&[&device], "head -c 2 /dev/nothing | tr '\\0' z", "zz");
}

#[test]
#[ignore = "exercise 1: run --device"]
fn ex1_only_devices_are_passed() {
    let place = Place::new();
    let (file, link) = (place.path("secret"), place.path("link"));
    fs::write(&file, "the host's\n").unwrap();
    symlink(&file, &link).unwrap();
    for path in [&file, &link, &place.path("state")] {
        place.refuse(&format!("{path}:/dev/new"), path);
    }
    place.refuse("/dev/no-such-device", "/dev/no-such-device");
}

#[test]
#[ignore = "exercise 1: run --device"]
fn ex1_devices_are_nowhere_but_in_dev() {
    let place = Place::new();
    for name in [
        "/etc/passwd",
        "/dev",
        "/dev/",
        "/dev/..",
        "/dev/../etc/new",
        "/dev/a/b",
        "new",
    ] {
        place.refuse(&format!("/dev/zero:{name}"), "device");
    }
    for taken in ["/dev/null", "/dev/fd"] {
        place.refuse(&format!("/dev/zero:{taken}"), taken);
    }
}
