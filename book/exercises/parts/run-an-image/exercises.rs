//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1
//!
//! It needs python3, for the registry of the book.

use std::fs::{self, File};
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
    /// With an image `base:1`, which has the programs of the default root filesystem. None, aloud, without python3.
    fn new() -> Option<Self> {
        if Command::new("python3").arg("--version").output().is_err() {
            println!("skipped: needs python3, for a registry");
            return None;
        }
        let directory = TempDir::new().unwrap();
        for name in ["site", "files"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let mut server = Command::new(book("a-registry"));
        server.arg(directory.path().join("site"));
        let log = File::create(directory.path().join("requests")).unwrap();
        let mut server = server.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let port = line.split_whitespace().last().unwrap_or_default();
        let registry = format!("127.0.0.1:{port}");
        let place = Self {
            directory,
            server,
            registry,
        };
        let built = place.see(&["run", "--rm", "--net", "isolated", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        place.pack("base", &place.path("state/rootfs/default"));
        place.image("base:1", &["base"], "{}");
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes `directory` a layer, NAME.tar.
    fn pack(&self, name: &str, directory: &Path) {
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "-cf"]);
        tar.arg(self.path(&format!("{name}.tar"))).arg("-C");
        let packed = tar.arg(directory).arg(".").status().unwrap();
        assert!(packed.success());
    }

    /// Puts an image of these layers into the registry.
    fn image(&self, name: &str, layers: &[&str], config: &str) {
        let mut script = Command::new(book("an-image"));
        script.arg(self.path("site")).arg(name);
        script.args(
            layers
                .iter()
                .map(|layer| self.path(&format!("{layer}.tar"))),
        );
        let made = script.arg(config).status().unwrap();
        assert!(made.success(), "{name}");
    }

    fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.registry)
    }

    /// Pulls an image, and returns its name.
    fn pulled(&self, image: &str) -> String {
        let name = self.name(image);
        self.done(&["pull", "-q", &name]);
        name
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

    /// That `ps -a` with these images as filters lists the containers with these names, the newest first.
    fn expect(&self, images: &[&str], names: &str) {
        let filters: Vec<_> = images
            .iter()
            .map(|image| format!("ancestor={image}"))
            .collect();
        let mut arguments = vec!["ps", "-a"];
        for filter in &filters {
            arguments.extend(["--filter", filter]);
        }
        let rows = self.done(&arguments);
        let rows = rows.lines().skip(1);
        let listed: Vec<_> = rows
            .filter_map(|row| row.split_whitespace().last())
            .collect();
        assert_eq!(listed.join(" "), names, "ps -a with {filters:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        self.see(&["prune", "-f"]);
        let ids = self.see(&["images", "-q"]).stdout;
        let ids = ids.split_whitespace();
        self.see(&["rmi", "-f"].into_iter().chain(ids).collect::<Vec<_>>());
    }
}

/// A script beside the patches.
fn book(script: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let scripts = here.map(|above| above.join("book/parts").join(script));
    scripts.into_iter().find(|script| script.exists()).unwrap()
}

#[test]
#[ignore = "exercise 1: ps --filter ancestor=IMAGE"]
fn ex1_containers_are_found_by_their_image() {
    let Some(place) = Place::new() else { return };
    for filter in ["image=base:1", "base:1", "ancestor"] {
        let seen = place.see(&["ps", "-f", filter]);
        assert_eq!(seen.code, Some(125), "ps -f {filter}: {}", seen.stderr);
    }
    place.image("other:1", &["base"], r#"{"Labels": {"other": "yes"}}"#);
    let (base, other) = (place.pulled("base:1"), place.pulled("other:1"));
    for (name, image) in [("one", &base), ("two", &other), ("three", &base)] {
        place.done(&["run", "--net", "isolated", "--name", name, image, "true"]);
    }
    place.done(&["run", "--net", "isolated", "--name", "four", "true"]);
    place.expect(&[&base], "three one");
    place.expect(&[&other], "two");
    place.expect(&[&base, &other], "three two one");
    place.expect(&["nobody:1"], "");
    // A name without a tag means latest.
    place.expect(&[&place.name("base")], "");
    let last = place.done(&["ps", "-l", "-q", "-f", &format!("ancestor={other}")]);
    let two = place.done(&["inspect", "two"]);
    assert!(
        last.len() > 1 && two.contains(last.trim()),
        "ps -l -f ancestor={other} should list the last container of the image"
    );
}

#[test]
#[ignore = "exercise 1: ps --filter ancestor=IMAGE"]
fn ex1_an_id_goes_on_to_mean_what_it_meant() {
    let Some(place) = Place::new() else { return };
    let base = place.pulled("base:1");
    place.done(&["run", "--net", "isolated", "--name", "old", &base, "true"]);
    let old = place.done(&["images", "-q", "--no-trunc"]);
    let old = old.trim().trim_start_matches("sha256:");
    for id in [old, &old[..12], &format!("sha256:{old}")] {
        place.expect(&[id], "old");
    }
    // A name may mean another image by now.
    place.image("base:1", &["base"], r#"{"Labels": {"new": "yes"}}"#);
    let base = place.pulled("base:1");
    place.done(&["run", "--net", "isolated", "--name", "new", &base, "true"]);
    place.expect(&[&base], "new");
    place.expect(&[&old[..12]], "old");
}
