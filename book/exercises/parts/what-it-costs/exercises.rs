//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs python3, for the registry of the book.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, and a registry with what the test puts into it.
struct Place {
    directory: TempDir,
    server: Child,
    registry: String,
}

impl Place {
    /// None, aloud, without python3.
    fn new() -> Option<Self> {
        if Command::new("python3").arg("--version").output().is_err() {
            println!("skipped: needs python3, for a registry");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let site = directory.path().join("site");
        fs::create_dir(&site).unwrap();
        let layer = directory.path().join("base.tar");
        let mut tar = Command::new("tar");
        let packed = tar.arg("-cf").arg(layer).arg("-C").arg(&site).arg(".");
        assert!(packed.status().unwrap().success());
        let mut server = Command::new(book("a-registry"));
        server
            .arg(&site)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let port = line.split_whitespace().last().unwrap_or_default();
        let registry = format!("127.0.0.1:{port}");
        Some(Self {
            directory,
            server,
            registry,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts an image into the registry.
    fn image(&self, name: &str, config: &str) {
        let mut script = Command::new(book("an-image"));
        script.arg(self.path("site")).arg(name);
        let made = script.arg(self.path("base.tar")).arg(config).status();
        assert!(made.unwrap().success(), "{name}");
    }

    fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.registry)
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.path("state"));
        command.env("DOCKER_CONFIG", self.path("docker"));
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

    /// Pulls an image that was created then.
    fn created(&self, name: &str, when: Option<SystemTime>) {
        let label = format!(r#"{{"Labels": {{"name": "{name}"}}}}"#);
        self.image(name, &label);
        let (repository, tag) = name.split_once(':').unwrap();
        let site = self.path("site/v2").join(repository);
        let read =
            |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let mut manifest = read(site.join("manifests").join(tag));
        let digest = manifest["config"]["digest"].as_str().unwrap().to_owned();
        let mut config = read(site.join("blobs").join(digest));
        if let Some(when) = when {
            config["created"] = json!(humantime::format_rfc3339_seconds(when).to_string());
        }
        let config = config.to_string();
        manifest["config"]["digest"] = json!(put(&site.join("blobs"), &config));
        manifest["config"]["size"] = json!(config.len());
        fs::write(site.join("manifests").join(tag), manifest.to_string()).unwrap();
        self.done(&["pull", "-q", &self.name(name)]);
    }

    /// That these images are left.
    fn expect(&self, filter: &str, left: &[&str]) {
        self.done(&["image", "prune", "-a", "-f", "--filter", filter]);
        let rows = self.done(&["images"]);
        let mut names: Vec<_> = rows
            .lines()
            .skip(1)
            .map(|row| row.split_whitespace().take(2).collect::<Vec<_>>().join(":"))
            .collect();
        let mut expected: Vec<_> = left.iter().map(|name| self.name(name)).collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected, "after image prune -a --filter {filter}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Writes a text to where its digest says.
fn put(directory: &Path, text: &str) -> String {
    let unnamed = directory.join("unnamed");
    fs::write(&unnamed, text).unwrap();
    let sum = Command::new("sha256sum").arg(&unnamed).output().unwrap();
    let digest = format!("sha256:{}", &String::from_utf8_lossy(&sum.stdout)[..64]);
    fs::rename(unnamed, directory.join(&digest)).unwrap();
    digest
}

/// A script beside the patches.
fn book(script: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let scripts = here.map(|above| above.join("book/parts").join(script));
    scripts.into_iter().find(|script| script.exists()).unwrap()
}

#[test]
#[ignore = "exercise 1: image prune --filter until"]
fn ex1_only_old_ones_go() {
    let Some(place) = Place::new() else { return };
    let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    for (name, created) in [
        ("new:1", hours(1)),
        ("day:1", hours(25)),
        ("week:1", hours(200)),
    ] {
        place.created(name, Some(created));
    }
    place.created("unknown:1", None);
    place.expect("until=150h", &["new:1", "day:1"]);
    place.expect("until=24h30m", &["new:1"]);
    place.expect("until=3000s", &[]);
}

#[test]
#[ignore = "exercise 1: image prune --filter until"]
fn ex1_a_time_is_accepted() {
    let Some(place) = Place::new() else { return };
    place.created(
        "old:1",
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
    );
    place.created(
        "older:1",
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(900_000_000)),
    );
    place.expect("until=2000-01-01T00:00:00Z", &["old:1"]);
    place.expect("until=2001-12-31T00:00:00Z", &[]);
}

#[test]
#[ignore = "exercise 1: image prune --filter until"]
fn ex1_anything_else_is_a_usage_error() {
    let Some(place) = Place::new() else { return };
    place.created("new:1", Some(SystemTime::now()));
    for wrong in [
        "until=yesterday",
        "until=",
        "colour=red",
        "24h",
        "until=5x",
        "until=5ms",
    ] {
        let seen = place.see(&["image", "prune", "-a", "-f", "--filter", wrong]);
        assert_eq!(seen.code, Some(125), "--filter {wrong}: {}", seen.stderr);
    }
    place.expect("until=1h", &["new:1"]);
}
