//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        place.done(&["run", "--rm", "--net", "isolated", "true"]);
        // Below all containers.
        let opt = place.path("state/rootfs/default/below");
        fs::create_dir(&opt).unwrap();
        for name in ["file", "other"] {
            fs::write(opt.join(name), "").unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.path("state"));
        let output = command.output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, and it succeeds. Returns what it prints.
    fn done(&self, arguments: &[&str]) -> String {
        let seen = self.see(arguments);
        let command = arguments.join(" ");
        assert_eq!(seen.code, Some(0), "{command}\nOn stderr: {}", seen.stderr);
        seen.stdout
    }

    /// That a container in which `script` has run differs by `lines`.
    fn expect(&self, script: &str, lines: &str) {
        self.done(&[
            "run", "--net", "isolated", "--name", "it", "sh", "-c", script,
        ]);
        let seen = self.see(&["diff", "it"]);
        self.done(&["rm", "it"]);
        assert_eq!(seen.stdout, lines, "{script}\nOn stderr: {}", seen.stderr);
    }
}

#[test]
#[ignore = "exercise 1: what has changed?"]
fn ex1_what_a_container_has_done_is_listed() {
    let place = Place::new();
    place.expect(
        "echo x >/new; mkdir -p /made/in; echo x >/below/file; rm /below/other; mkdir -m 700 /private; touch /private/x",
        "C /below\nC /below/file\nD /below/other\nA /made\nA /made/in\nA /new\nA /private\nA /private/x\n",
    );
    place.expect("true", "");
    place.expect("chmod 700 /below", "C /below\n");
    let odd = "touch \"$(printf '/new\\033[2J')\"";
    place.expect(odd, "A /new\\u{1b}[2J\n");
}

#[test]
#[ignore = "exercise 1: what has changed?"]
fn ex1_a_directory_that_comes_again_has_lost_its_files() {
    let place = Place::new();
    let lost = "C /below\nD /below/file\nD /below/other\n";
    place.expect("rm -r /below; mkdir /below", lost);
    place.expect(
        "rm -r /below; mkdir /below; echo x >/below/new; echo x >/below/other",
        "C /below\nD /below/file\nA /below/new\nC /below/other\n",
    );
    place.expect("rm -r /below", "D /below\n");
    place.expect("rm -r /below; echo x >/below", "C /below\n");
}

#[test]
#[ignore = "exercise 1: what has changed?"]
fn ex1_a_directory_in_place_of_a_file() {
    let place = Place::new();
    place.expect(
        "rm /below/file; mkdir /below/file; echo x >/below/file/x",
        "C /below\nC /below/file\nA /below/file/x\n",
    );
}

#[test]
#[ignore = "exercise 1: what has changed?"]
fn ex1_it_works_while_the_container_runs() {
    let place = Place::new();
    let script = "echo x >/new; sleep 1000";
    let id = place.done(&["run", "-d", "--net", "isolated", "sh", "-c", script]);
    let id = id.trim();
    let mut seen = place.see(&["diff", id]);
    for _ in 0..100 {
        if seen.stdout == "A /new\n" {
            break;
        }
        sleep(Duration::from_millis(50));
        seen = place.see(&["diff", id]);
    }
    place.see(&["rm", "-f", id]);
    let wanted = (Some(0), "A /new\n");
    assert_eq!((seen.code, &seen.stdout[..]), wanted, "{}", seen.stderr);
}
