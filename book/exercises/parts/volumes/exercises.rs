//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, and a directory in which the user is.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir(place.path("here")).unwrap();
        let built = place.run(&["true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `tiny-docker run --rm ARGUMENTS…` to its end.
    fn run(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command
            .args(["run", "--rm", "--net", "isolated"])
            .args(arguments);
        command.current_dir(self.path("here"));
        command.env("TINY_DOCKER_ROOT", self.path("state"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// That `script` prints `stdout` in a container with this `volume`.
    fn expect(&self, volume: &str, script: &str, stdout: &str) {
        let seen = self.run(&["-v", volume, "sh", "-c", script]);
        assert_eq!(
            seen.stdout, stdout,
            "run -v {volume} sh -c '{script}'\nOn stderr: {}",
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise 1: volumes that have a name"]
fn ex1_what_one_container_writes_another_one_finds() {
    let place = Place::new();
    place.expect("data:/data", "ls -A /data; echo kept >/data/file", "");
    place.expect("data:/other/path", "cat /other/path/file", "kept\n");
    place.expect(
        "data:/data:ro",
        "cat /data/file; rm /data/file; ls /data",
        "kept\nfile\n",
    );
    // Each name is another volume.
    for name in ["data2", "my.data_3-x", "X"] {
        place.expect(&format!("{name}:/data"), "ls -A /data", "");
    }
}

#[test]
#[ignore = "exercise 1: volumes that have a name"]
fn ex1_it_is_below_the_state_directory_and_private() {
    let place = Place::new();
    place.expect("data:/data", "echo kept >/data/file", "");
    let kept = place.path("state/volumes/data/file");
    let found = fs::read_to_string(&kept);
    assert_eq!(found.ok().as_deref(), Some("kept\n"), "{}", kept.display());
    let mode = fs::metadata(place.path("state/volumes"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0, "state/volumes is open to others: {mode:o}");
    // The user's directory has nothing to do with it.
    assert_eq!(fs::read_dir(place.path("here")).unwrap().count(), 0);
}

#[test]
#[ignore = "exercise 1: volumes that have a name"]
fn ex1_a_path_is_still_a_path() {
    let place = Place::new();
    place.expect("data:/data", "echo a name", "a name\n");
    fs::write(place.path("here/file"), "").unwrap();
    for volume in [".:/data", "./:/data", "../here:/data"] {
        place.expect(volume, "ls /data", "file\n");
    }
    place.expect("./data:/data", "touch /data/new", "");
    assert!(place.path("here/data/new").exists());
}

#[test]
#[ignore = "exercise 1: volumes that have a name"]
fn ex1_what_is_no_name_is_refused() {
    let place = Place::new();
    place.expect("data:/data", "echo a name", "a name\n");
    for name in ["..", ".hidden", "_x", "a b", "a*", "ä", ""] {
        let seen = place.run(&["-v", &format!("{name}:/data"), "echo", "started"]);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "-v '{name}:/data' should be refused. On stderr: {}",
            seen.stderr
        );
    }
    let volumes = fs::read_dir(place.path("state/volumes")).unwrap();
    assert_eq!(volumes.count(), 1);
}
