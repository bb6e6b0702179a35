//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::path::{Path, PathBuf};
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

/// A state directory for one test, and an archive to import.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let tree = place.path("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("greeting"), "hello\n").unwrap();
        let mut tar = Command::new("tar");
        tar.args(["--owner", "0", "--group", "0", "-cf"]);
        tar.arg(place.path("tree.tar")).arg("-C").arg(tree).arg(".");
        assert!(tar.status().unwrap().success());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end. `epoch` is SOURCE_DATE_EPOCH.
    fn see(&self, arguments: &[&str], epoch: Option<&str>) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env_remove("SOURCE_DATE_EPOCH");
        command.envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch)));
        let output = command
            .env("TINY_DOCKER_ROOT", self.path("state"))
            .current_dir(self.0.path())
            .output()
            .unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Imports the archive. Returns the image's id.
    fn import(&self, epoch: Option<&str>) -> String {
        let seen = self.see(&["import", "tree.tar", "tree"], epoch);
        assert_eq!(seen.code, Some(0), "import fails: {}", seen.stderr);
        seen.stdout.trim().to_owned()
    }

    /// The configuration of the image `id`.
    fn config(&self, id: &str) -> String {
        let blobs = self.path("state/images/blobs/sha256");
        let hex = id.strip_prefix("sha256:").unwrap();
        fs::read_to_string(Path::new(&blobs).join(hex)).unwrap()
    }
}

#[test]
#[ignore = "exercise 1: SOURCE_DATE_EPOCH"]
fn ex1_the_same_file_gives_the_same_image() {
    let place = Place::new();
    let first = place.import(Some("1000000000"));
    let config = place.config(&first);
    let times = config.matches("2001-09-09T01:46:40Z").count();
    assert_eq!(
        times, 2,
        "SOURCE_DATE_EPOCH=1000000000, and the configuration says {config}"
    );
    sleep(Duration::from_millis(1100));
    let second = place.import(Some("1000000000"));
    assert_eq!(first, second, "the same file and the same time");
    assert_ne!(place.import(Some("1000000001")), first);
    let config = place.config(&place.import(Some("0")));
    assert!(config.contains("1970-01-01T00:00:00Z"), "{config}");
}

#[test]
#[ignore = "exercise 1: SOURCE_DATE_EPOCH"]
fn ex1_without_it_an_image_has_the_time_of_its_import() {
    let place = Place::new();
    for epoch in [None, Some("")] {
        let before = place.import(epoch);
        sleep(Duration::from_millis(1100));
        assert_ne!(place.import(epoch), before, "SOURCE_DATE_EPOCH: {epoch:?}");
    }
    assert_ne!(
        place.import(Some("1000000000")),
        place.import(None),
        "the variable changes nothing"
    );
}

#[test]
#[ignore = "exercise 1: SOURCE_DATE_EPOCH"]
fn ex1_what_is_not_a_time_is_refused() {
    let place = Place::new();
    for wrong in ["yesterday", "-1", "1e9", "18446744073709551615"] {
        let seen = place.see(&["import", "tree.tar", "tree"], Some(wrong));
        let right = seen.code == Some(1) && seen.stderr.contains("SOURCE_DATE_EPOCH");
        assert!(
            right,
            "SOURCE_DATE_EPOCH={wrong}: {:?}, {}",
            seen.code, seen.stderr
        );
    }
    let images = place.see(&["images", "-q"], None);
    assert_eq!(images.stdout, "", "there is an image all the same");
}
