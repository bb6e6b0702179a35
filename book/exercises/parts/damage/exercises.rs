//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::geteuid;
use tempfile::TempDir;

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn see(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        command.output().unwrap()
    }

    /// The id of a container in the background that has said something, and ended.
    fn start(&self) -> String {
        let seen = self.see(&["run", "-d", "--net", "isolated", "echo", "said"]);
        assert!(seen.status.success(), "no container starts: {seen:?}");
        let id = String::from_utf8(seen.stdout).unwrap().trim().to_owned();
        let mut tries = 0..200;
        while !fs::read_to_string(self.config(&id))
            .unwrap()
            .contains("exited")
        {
            assert!(tries.next().is_some(), "it does not end");
            sleep(Duration::from_millis(50));
        }
        id
    }

    fn config(&self, id: &str) -> PathBuf {
        let containers = self.0.path().join("containers");
        containers.join(id).join("config.json")
    }

    /// What `ps -a` says about damaged records, and how many containers it lists.
    fn ps(&self) -> (String, usize) {
        let seen = self.see(&["ps", "-a"]);
        assert!(seen.status.success(), "{seen:?}");
        let stderr = String::from_utf8_lossy(&seen.stderr).into_owned();
        let stdout = String::from_utf8_lossy(&seen.stdout);
        (stderr, stdout.lines().count() - 1)
    }
}

#[test]
#[ignore = "exercise 1"]
fn ex1_the_file_itself_must_be_ours_alone() {
    let place = Place::new();
    let id = place.start();
    assert_eq!(
        place.ps(),
        (String::new(), 1),
        "a record as we leave it is fine"
    );
    let logs = place.see(&["logs", &id]);
    assert_eq!(
        String::from_utf8_lossy(&logs.stdout),
        "said\n",
        "logs prints what it always did: {logs:?}"
    );
    let cannot = |reason: &str| {
        let config = place.config(&id);
        format!("tiny-docker: cannot read {}: {reason}\n", config.display())
    };

    let second = place.0.path().join("second");
    fs::hard_link(place.config(&id), &second).unwrap();
    assert_eq!(
        place.ps(),
        (cannot("it has a second name"), 0),
        "ln config.json elsewhere"
    );
    assert!(!place.see(&["stop", &id]).status.success());
    fs::remove_file(&second).unwrap();
    assert_eq!(place.ps(), (String::new(), 1), "with one name, it is fine");

    for mode in [0o620, 0o602] {
        fs::set_permissions(place.config(&id), Permissions::from_mode(mode)).unwrap();
        let reason = cannot("other users can write to it");
        assert_eq!(place.ps(), (reason, 0), "chmod {mode:o} config.json");
    }
    fs::set_permissions(place.config(&id), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(place.ps(), (String::new(), 1), "others may read it");

    if geteuid().is_root() {
        chown(place.config(&id), Some(65534), None).unwrap();
        assert_eq!(place.ps(), (cannot("it belongs to another user"), 0));
    }
    fs::hard_link(place.config(&id), &second).unwrap();
    let seen = place.see(&["rm", "-f", &id]);
    assert!(
        seen.status.success(),
        "rm -f removes such a record: {seen:?}"
    );
    assert_eq!(place.ps(), (String::new(), 0));
}
