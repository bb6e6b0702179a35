//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

const SAYS: &str = "tiny-docker: removed what a killed command had left of ";

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let built = place.see(&["run", "--net", "isolated", "--rm", "true"]);
        assert!(built.status.success(), "no container starts: {built:?}");
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        command
    }

    fn see(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn containers(&self) -> PathBuf {
        self.0.path().join("containers")
    }

    fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.containers()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    /// What a command that tidies up says about that. The command itself succeeds.
    fn said(&self) -> Vec<String> {
        let seen = self.see(&["run", "--net", "isolated", "--rm", "true"]);
        assert!(seen.status.success(), "{seen:?}");
        let stderr = String::from_utf8_lossy(&seen.stderr).into_owned();
        let mut said: Vec<_> = stderr.lines().map(str::to_owned).collect();
        said.sort();
        said
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_what_is_removed_is_named() {
    let place = Place::new();
    assert_eq!(
        place.said(),
        Vec::<String>::new(),
        "a container that its own run has removed is not mentioned"
    );

    // Two halves. Somebody works on the second one.
    let half = |id: &str| place.containers().join(format!(".{id}"));
    for id in ["0123456789ab", "ba9876543210"] {
        fs::create_dir(half(id)).unwrap();
    }
    let works = fs::File::open(half("ba9876543210")).unwrap();
    works.lock().unwrap();
    assert_eq!(
        place.said(),
        [format!("{SAYS}0123456789ab")],
        "a hidden directory that nobody has locked is removed and named, without its dot; another one is not"
    );
    drop(works);
    assert_eq!(place.said(), [format!("{SAYS}ba9876543210")]);

    // A container with --rm, whose run is killed.
    let mut run = place
        .command(&["run", "--net", "isolated", "--rm", "sleep", "1000"])
        .spawn()
        .unwrap();
    let mut tries = 0..200;
    while !String::from_utf8_lossy(&place.see(&["ps"]).stdout).contains("sleep 1000") {
        assert!(tries.next().is_some(), "it does not start");
        sleep(Duration::from_millis(50));
    }
    assert_eq!(
        place.said(),
        Vec::<String>::new(),
        "a running container is not mentioned"
    );
    let ids = place.ids();
    run.kill().unwrap();
    run.wait().unwrap();
    while !String::from_utf8_lossy(&place.see(&["ps", "-a"]).stdout).contains("exited") {
        assert!(tries.next().is_some(), "it does not end");
        sleep(Duration::from_millis(50));
    }
    assert_eq!(
        place.said(),
        [format!("{SAYS}{}", ids[0])],
        "a container with --rm"
    );
    assert_eq!(place.ids(), Vec::<String>::new());
    assert_eq!(
        place.said(),
        Vec::<String>::new(),
        "nothing is removed twice"
    );
}
