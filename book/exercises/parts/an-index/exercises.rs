//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// This machine, in Go's words.
const HERE: &str = match cfg!(target_arch = "x86_64") {
    true => "amd64",
    false => "arm64",
};

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A registry with what the test puts into it, and a state directory for one test.
struct Place {
    directory: TempDir,
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// The paths that were asked for.
    asked: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || answer(stream, &state));
            }
        });
        let directory = TempDir::new().unwrap();
        let place = Self {
            directory,
            address,
            state,
        };
        place.put("", b"{}");
        place
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let files = &mut self.state.lock().unwrap().files;
        files.insert(format!("/v2/{path}"), bytes.to_vec());
    }

    /// Puts it among the blobs, and returns its descriptor.
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        self.put(&format!("x/blobs/{digest}"), bytes);
        json!({"mediaType": format!("application/vnd.oci.image.{media_type}"), "digest": digest, "size": bytes.len()})
    }

    /// Puts a manifest or an index there, by its tag and by its digest, and returns its descriptor.
    fn document(&self, tag: &str, kind: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let descriptor = self.blob(kind, &bytes);
        for reference in [tag, descriptor["digest"].as_str().unwrap()] {
            self.put(&format!("x/manifests/{reference}"), &bytes);
        }
        descriptor
    }

    /// An image of these layers, as they are in the archive and as they are sent.
    fn image(&self, tag: &str, layers: &[(&[u8], &[u8])]) -> Value {
        let diff_ids: Vec<_> = layers.iter().map(|(archive, _)| digest(archive)).collect();
        let config = json!({"os": "linux", "architecture": HERE, "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config = self.blob("config.v1+json", config.to_string().as_bytes());
        let layer = |(archive, sent): &(&[u8], &[u8])| {
            let suffix = if archive == sent { "" } else { "+gzip" };
            self.blob(&format!("layer.v1.tar{suffix}"), sent)
        };
        let layers: Vec<_> = layers.iter().map(layer).collect();
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        self.document(tag, "manifest.v1+json", &manifest)
    }

    fn name(&self, tag: &str) -> String {
        format!("{}/x:{tag}", self.address)
    }

    /// Runs `tiny-docker pull OPTIONS… NAME` to its end.
    fn pull(&self, options: &[&str], tag: &str) -> Seen {
        let output = self.command(options, tag).output().unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn command(&self, options: &[&str], tag: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.arg("pull").args(options).arg(self.name(tag));
        command.env("TINY_DOCKER_ROOT", self.directory.path().join("state"));
        command.env("DOCKER_CONFIG", self.directory.path().join("docker"));
        command.stdin(Stdio::null());
        command
    }
}

fn digest(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// Answers one request, and hangs up.
fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let first = lines.first().map(String::as_str).unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = state.lock().unwrap().files.get(&path).cloned();
    state.lock().unwrap().asked.push(path);
    let status = if body.is_some() {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let body = body.unwrap_or_default();
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}

impl Place {
    /// What `pull --check` prints after the name, and its exit code.
    fn check(&self, tag: &str) -> (String, Option<i32>) {
        let seen = self.pull(&["--check"], tag);
        let text = seen.stdout.strip_prefix(&self.name(tag)).unwrap_or_else(|| {
            panic!(
                "pull --check should print one line, which begins with {}. On stdout: {}On stderr: {}",
                self.name(tag),
                seen.stdout,
                seen.stderr
            )
        });
        (text.to_owned(), seen.code)
    }

    fn pulled(&self, tag: &str) {
        let seen = self.pull(&["-q"], tag);
        assert_eq!(seen.code, Some(0), "On stderr: {}", seen.stderr);
    }

    /// Which blobs were asked for since the last time.
    fn blobs(&self) -> usize {
        let asked = std::mem::take(&mut self.state.lock().unwrap().asked);
        asked.iter().filter(|path| path.contains("/blobs/")).count()
    }

    fn files(&self) -> usize {
        let directory = self.directory.path().join("state/images/blobs/sha256");
        fs::read_dir(directory).map_or(0, Iterator::count)
    }
}

#[test]
#[ignore = "exercise 1: pull --check"]
fn ex1_what_the_store_has_is_compared_with_what_the_registry_says() {
    let place = Place::new();
    place.image("a", &[(ONE, ONE)]);
    let missing = (": not pulled yet\n".to_owned(), Some(1));
    assert_eq!(place.check("a"), missing, "nothing was pulled");
    place.pulled("a");
    let same = (": up to date\n".to_owned(), Some(0));
    assert_eq!(place.check("a"), same, "it was pulled a moment ago");
    place.image("a", &[(TWO, TWO)]);
    let newer = (": there is a newer image\n".to_owned(), Some(1));
    assert_eq!(place.check("a"), newer, "the name means another image now");
    place.pulled("a");
    assert_eq!(place.check("a"), same, "the newer one was pulled");
}

#[test]
#[ignore = "exercise 1: pull --check"]
fn ex1_another_name_of_the_same_image_does_not_count() {
    let place = Place::new();
    place.image("a", &[(ONE, ONE)]);
    place.image("b", &[(ONE, ONE)]);
    place.pulled("a");
    let missing = (": not pulled yet\n".to_owned(), Some(1));
    assert_eq!(place.check("b"), missing, "only its other name was pulled");
}

#[test]
#[ignore = "exercise 1: pull --check"]
fn ex1_no_blob_is_fetched_and_the_store_stays_as_it_is() {
    let place = Place::new();
    place.image("a", &[(ONE, ONE)]);
    place.check("a");
    assert_eq!(
        (place.blobs(), place.files()),
        (0, 0),
        "nothing should be fetched"
    );
    place.pulled("a");
    assert_eq!((place.blobs(), place.files()), (2, 3));
    place.image("a", &[(TWO, TWO)]);
    place.check("a");
    assert_eq!(
        (place.blobs(), place.files()),
        (0, 3),
        "nothing should be fetched"
    );
    let newer = (": there is a newer image\n".to_owned(), Some(1));
    assert_eq!(
        place.check("a"),
        newer,
        "to check once more changes nothing"
    );
    let seen = place.pull(&["--check"], "missing");
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(1), ""),
        "there is no such tag"
    );
}

/// Two archives without entries.
const ONE: &[u8] = &[0; 1024];
const TWO: &[u8] = &[0; 2048];
