//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test.
struct Place(TempDir);

const HOUR: u64 = 3600;

/// The time so many hours ago.
fn ago(hours: u64) -> Value {
    let time = SystemTime::now() - Duration::from_secs(hours * HOUR);
    humantime::format_rfc3339_seconds(time).to_string().into()
}

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
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

    /// A container with this `name`, and with these times in its record. Null: nobody noted it.
    fn ended(&self, name: &str, created: Value, finished: Value) {
        let seen = self.see(&["run", "--net", "isolated", "--name", name, "true"]);
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        let containers = fs::read_dir(self.0.path().join("containers")).unwrap();
        for container in containers.flatten() {
            let config = container.path().join("config.json");
            let text = fs::read_to_string(&config).unwrap();
            let mut record: Value = serde_json::from_str(&text).unwrap();
            if record["name"] == name {
                record["created_at"] = created.clone();
                record["finished_at"] = finished.clone();
                fs::write(&config, record.to_string()).unwrap();
            }
        }
    }

    /// That these are left after `prune` with these `options`.
    fn expect(&self, options: &[&str], names: &[&str]) {
        let seen = self.see(&[&["prune", "-f"], options].concat());
        assert_eq!(seen.code, Some(0), "prune {options:?}: {}", seen.stderr);
        let table = self.see(&["ps", "-a"]).stdout;
        let rows = table.lines().skip(1);
        let mut left: Vec<_> = rows.filter_map(|row| row.split(' ').next_back()).collect();
        left.sort_unstable();
        assert_eq!(left, names, "after prune {options:?}");
    }
}

impl Drop for Place {
    /// A grader that refuses an attempt leaves nothing behind either.
    fn drop(&mut self) {
        self.see(&["rm", "-f", "up"]);
    }
}

#[test]
#[ignore = "exercise 1: prune --until"]
fn ex1_only_what_ended_long_ago_is_removed() {
    let place = Place::new();
    place.ended("long-ago", ago(100), ago(50));
    place.ended("lately", ago(100), ago(2));
    place.ended("now", ago(0), ago(0));
    place.expect(&["--until", "200h"], &["lately", "long-ago", "now"]);
    place.expect(&["--until", "2d"], &["lately", "now"]);
    place.expect(&["--until=90m"], &["now"]);
    // Without it, everything goes, as before.
    place.expect(&[], &[]);
    assert!(!place.0.path().join("rootfs").exists());
}

#[test]
#[ignore = "exercise 1: prune --until"]
fn ex1_what_nobody_noted_and_what_runs_stays() {
    let place = Place::new();
    place.ended("lost", ago(100), Value::Null);
    let run = [
        "run", "-d", "--net", "isolated", "--name", "up", "sleep", "1000",
    ];
    place.see(&run);
    place.ended("old", ago(100), ago(99));
    place.expect(&["--until", "1s"], &["lost", "up"]);
    assert!(place.0.path().join("rootfs/default").exists());
}

#[test]
#[ignore = "exercise 1: prune --until"]
fn ex1_an_age_has_a_unit() {
    let place = Place::new();
    place.ended("old", ago(100), ago(99));
    place.expect(&["--until", "1000h"], &["old"]);
    for wrong in ["yesterday", "5", "-1h"] {
        let until = format!("--until={wrong}");
        let seen = place.see(&["prune", "-f", &until]);
        assert_eq!(seen.code, Some(125), "{until}: {}", seen.stderr);
    }
    place.expect(&["--until", "1000h"], &["old"]);
}
