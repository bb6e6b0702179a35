//! The grader of this part's exercise. It fails until the exercise is solved, and says what it misses:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use nix::unistd::geteuid;
use tempfile::TempDir;

/// A copy of the program, to be handed to the wrong people, and its state directory.
struct Place(TempDir);

impl Place {
    fn new(mode: u32) -> Self {
        let place = Self(TempDir::new().unwrap());
        // cp, because a program cannot be executed while a fork of this process has it open for writing.
        let mut cp = Command::new("cp");
        cp.arg(env!("CARGO_BIN_EXE_tiny-docker"))
            .arg(place.program());
        assert!(cp.status().unwrap().success());
        fs::set_permissions(place.program(), Permissions::from_mode(mode)).unwrap();
        place
    }

    fn program(&self) -> PathBuf {
        self.0.path().join("copy-of-it")
    }

    fn see(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.program());
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path().join("state"));
        command.output().unwrap()
    }

    fn assert_refused(&self, why: &str) {
        for options in [&["--init"][..], &["-d"], &[]] {
            let run = [&["run", "--net", "isolated"], options, &["true"]].concat();
            let seen = self.see(&run);
            let said = String::from_utf8_lossy(&seen.stderr).replace("copy-of-it", "");
            let mut lines: Vec<_> = said.lines().collect();
            // The first run builds the default root filesystem.
            lines.retain(|line| !line.starts_with("hint: ") && !line.contains("building a root"));
            assert_eq!(
                seen.status.code(),
                Some(125),
                "{why}, and {run:?} says:\n{said}"
            );
            assert!(
                lines.len() == 1 && lines[0].contains("program"),
                "one line with the word \"program\" should say why {run:?} is refused, and stderr is:\n{said}"
            );
        }
        let listed = self.see(&["ps", "-a"]).stdout;
        let listed = String::from_utf8_lossy(&listed);
        assert_eq!(
            listed.lines().count(),
            1,
            "something is left of them:\n{listed}"
        );
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_program_that_everybody_can_write_to_is_refused() {
    Place::new(0o757).assert_refused("everybody can write to the program");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_a_program_of_somebody_else_is_refused() {
    if !geteuid().is_root() {
        return; // who cannot give files away
    }
    let place = Place::new(0o755);
    chown(place.program(), Some(65534), None).unwrap();
    place.assert_refused("the program belongs to nobody");
}

#[test]
#[ignore = "exercise 1"]
fn ex1_other_programs_run() {
    // With a umask of 002, cargo's own have the second mode.
    for mode in [0o755, 0o775, 0o700] {
        let seen = Place::new(mode).see(&[
            "run",
            "--net",
            "isolated",
            "--init",
            "readlink",
            "/proc/1/exe",
        ]);
        let stderr = String::from_utf8_lossy(&seen.stderr);
        assert_eq!(
            seen.status.code(),
            Some(0),
            "with mode {mode:o}, stderr is:\n{stderr}"
        );
        assert_eq!(
            seen.stdout, b"/\n",
            "with mode {mode:o}, it is not protected as before"
        );
    }
}
