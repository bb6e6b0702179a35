//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, and a directory to work in.
struct Place {
    state: TempDir,
    work: TempDir,
}

impl Place {
    fn new() -> Self {
        let [state, work] = [(); 2].map(|()| TempDir::new().unwrap());
        let place = Self { state, work };
        let seen = place.see("run --rm --net isolated true");
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        place
    }

    /// Types `tiny-docker LINE` in the directory to work in.
    fn see(&self, line: &str) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(line.split_whitespace()).stdin(Stdio::null());
        command.current_dir(self.work.path());
        let output = command.env("TINY_DOCKER_ROOT", self.state.path()).output();
        let output = output.unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// The ids of all containers, as `ps` prints them.
    fn ids(&self) -> String {
        self.see("ps -a -q --no-trunc").stdout
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
#[ignore = "exercise 1: run --cidfile FILE"]
fn ex1_the_file_has_the_id() {
    let place = Place::new();
    let seen = place.see("run --net isolated --cidfile one echo hello");
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(seen.stdout, "hello\n", "stdout is the command's");
    let id = read(&place.file("one"));
    assert_eq!(
        id,
        place.ids().trim(),
        "the id, and nothing else, as in Docker"
    );
    // In the background, too.
    let seen = place.see("run -d --net isolated --cidfile two true");
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(read(&place.file("two")), seen.stdout.trim());
}

#[test]
#[ignore = "exercise 1: run --cidfile FILE"]
fn ex1_it_is_there_before_the_command_starts() {
    let place = Place::new();
    let volume = place.work.path().display();
    let seen = place.see(&format!(
        "run --net isolated --cidfile id -v {volume}:/work cat /work/id"
    ));
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(seen.stdout, place.ids().trim());
}

#[test]
#[ignore = "exercise 1: run --cidfile FILE"]
fn ex1_a_file_that_exists_is_somebody_elses() {
    let place = Place::new();
    fs::write(place.file("taken"), "precious").unwrap();
    for detached in ["", "-d"] {
        let seen = place.see(&format!(
            "run {detached} --net isolated --cidfile taken echo ran"
        ));
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "{}",
            seen.stderr
        );
        assert!(
            seen.stderr.contains("taken"),
            "the error should name the file: {}",
            seen.stderr
        );
    }
    assert_eq!(read(&place.file("taken")), "precious");
    assert_eq!(place.ids(), "", "nothing should have run");
    // A link is one, even if it leads nowhere.
    std::os::unix::fs::symlink(place.file("elsewhere"), place.file("link")).unwrap();
    let seen = place.see("run --net isolated --cidfile link echo ran");
    assert_eq!(seen.code, Some(125), "{}", seen.stderr);
    assert!(!place.file("elsewhere").exists(), "it followed the link");
}

#[test]
#[ignore = "exercise 1: run --cidfile FILE"]
fn ex1_a_run_that_fails_leaves_no_file() {
    let place = Place::new();
    let seen = place.see("run --net isolated --cidfile gone no-such-command");
    assert_eq!(seen.code, Some(127), "{}", seen.stderr);
    assert!(!place.file("gone").exists(), "no container has this id");
    // So that one can simply try again.
    let seen = place.see("run --rm --net isolated --cidfile gone true");
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(place.file("gone").exists(), "as in Docker, --rm keeps it");
}
