//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs python3, for the registry of the book.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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

    /// Pulls the image of the registry.
    fn pulled(&self) -> String {
        self.image("it:1", r#"{"Cmd": ["true"]}"#);
        let name = self.name("it:1");
        self.done(&["pull", "-q", &name]);
        name
    }

    /// Saves the image into a file, and returns what is in it.
    fn save(&self, image: &str, file: &str) -> Vec<u8> {
        let file = self.path(file);
        self.done(&["save", "-o", file.to_str().unwrap(), image]);
        fs::read(file).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A script beside the patches.
fn book(script: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let scripts = here.map(|above| above.join("book/parts").join(script));
    scripts.into_iter().find(|script| script.exists()).unwrap()
}

#[test]
#[ignore = "exercise 1: a smaller archive"]
fn ex1_the_name_decides() {
    let Some(place) = Place::new() else { return };
    let image = place.pulled();
    let plain = place.save(&image, "plain.tar");
    for file in ["it.tar.gz", "it.tgz"] {
        let packed = place.save(&image, file);
        assert!(packed.starts_with(&[0x1f, 0x8b]), "{file} is not packed");
        assert!(packed.len() < plain.len(), "{file} is not smaller");
        let mut gzip = Command::new("gzip");
        let unpacked = gzip.arg("-dc").arg(place.path(file)).output().unwrap();
        assert!(unpacked.status.success(), "gzip does not like {file}");
        assert!(unpacked.stdout == plain, "{file} contains something else");
    }
    for file in ["it.gzip", "gz", "tgz", "it.tar", "it.gz.tar"] {
        let same = place.save(&image, file) == plain;
        assert!(same, "{file} should not be packed");
    }
    assert!(
        place
            .see(&["save", &image])
            .stdout
            .starts_with("oci-layout")
    );
}

#[test]
#[ignore = "exercise 1: a smaller archive"]
fn ex1_the_same_image_gives_the_same_bytes() {
    let Some(place) = Place::new() else { return };
    let image = place.pulled();
    let first = place.save(&image, "a.tar.gz");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(first == place.save(&image, "b.tar.gz"));
}

#[test]
#[ignore = "exercise 1: a smaller archive"]
fn ex1_what_is_not_complete_has_no_name() {
    let Some(place) = Place::new() else { return };
    let image = place.pulled();
    let length = place.save(&image, "complete.tar.gz").len();
    // The disk is full before the last byte, or long before.
    for size in [length - 1, 100] {
        let file = place.path("small.tar.gz");
        let mut save = Command::new("prlimit");
        save.arg(format!("--fsize={size}"));
        save.args(["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        save.args([env!("CARGO_BIN_EXE_tiny-docker"), "save", "-o"]);
        save.arg(&file).arg(&image);
        let seen = save.env("TINY_DOCKER_ROOT", place.path("state")).output();
        let seen = seen.unwrap();
        let said = String::from_utf8_lossy(&seen.stderr);
        assert_eq!(seen.status.code(), Some(1), "{size} bytes fit: {said}");
        assert!(said.contains("File too large"), "{said}");
        assert!(!file.exists(), "there is a file of at most {size} bytes");
    }
}
