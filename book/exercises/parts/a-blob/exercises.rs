//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::BTreeMap;
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

/// Answers one request, and hangs up. A blob takes three of them: a hundred bytes, nothing at all, and the rest.
fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let first = lines.first().map(String::as_str).unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": bytes=")?;
        let start = value.strip_suffix('-')?.parse::<usize>().ok()?;
        name.eq_ignore_ascii_case("range").then_some(start)
    });
    let mut state = state.lock().unwrap();
    let body = state.files.get(&path).cloned();
    let times = state.asked.iter().filter(|asked| **asked == path).count();
    let most = match times {
        0 if path.contains("/blobs/") => 100,
        1 if path.contains("/blobs/") => 0,
        _ => usize::MAX,
    };
    state.asked.push(path);
    drop(state);
    let (status, all) = match (body, range) {
        (None, _) => ("404 Not Found".to_owned(), Vec::new()),
        (Some(body), None) => ("200 OK".to_owned(), body),
        (Some(body), Some(start)) => {
            let (last, all) = (body.len() - 1, body.len());
            let status =
                format!("206 Partial Content\r\nContent-Range: bytes {start}-{last}/{all}");
            (status, body[start..].to_vec())
        }
    };
    let length = all.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(&[head.as_bytes(), &all[..length.min(most)]].concat());
}

/// Pulls, and returns what stderr says about trying again.
fn said(options: &[&str]) -> Vec<String> {
    let place = Place::new();
    place.image("broken", &[(b"layer", b"layer")]);
    let seen = place.pull(options, "broken");
    assert_eq!(
        seen.code,
        Some(0),
        "On stdout: {}On stderr: {}",
        seen.stdout,
        seen.stderr
    );
    let asked = &place.state.lock().unwrap().asked;
    let blobs = asked.iter().filter(|path| path.contains("/blobs/"));
    assert_eq!(blobs.count(), 3, "how often it asks should not change");
    let lines = seen.stderr.lines().map(str::to_owned);
    lines.filter(|line| line.contains("trying again")).collect()
}

/// That the pause of a second is announced, and nothing else.
fn check(said: &[String]) {
    let [line] = said else {
        panic!("stderr should have one line about trying again, and has: {said:#?}");
    };
    let reason = line
        .strip_prefix("tiny-docker: ")
        .and_then(|line| line.strip_suffix(": trying again in 1 s"));
    assert!(
        reason.is_some_and(|reason| reason.contains("hung up") || reason.contains("ended")),
        "expected: tiny-docker: REASON: trying again in 1 s. It is: {line}"
    );
}

#[test]
#[ignore = "exercise 1: what pull is waiting for"]
fn ex1_a_pause_is_announced_and_an_attempt_without_one_is_not() {
    check(&said(&[]));
}

#[test]
#[ignore = "exercise 1: what pull is waiting for"]
fn ex1_with_quiet_it_says_the_same() {
    check(&said(&["-q"]));
}
