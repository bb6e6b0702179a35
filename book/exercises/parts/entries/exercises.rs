//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
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

/// The header of a file, and its content, which fill some blocks.
fn file(name: &str, content: &str) -> Vec<u8> {
    let mut header = tar::Header::new_old();
    header.set_path(name).unwrap();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut blocks = header.as_bytes().to_vec();
    blocks.extend(content.as_bytes());
    blocks.resize(blocks.len().next_multiple_of(512), 0);
    blocks
}

fn zeros(count: usize) -> Vec<u8> {
    vec![0; count]
}

/// Pulls an image with this archive as its only layer, as it is and compressed.
fn pull(archive: &[Vec<u8>]) -> [Seen; 2] {
    let archive = archive.concat();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&archive).unwrap();
    let packed = gzip.finish().unwrap();
    [&archive, &packed].map(|sent| {
        let place = Place::new();
        place.image("one", &[(&archive, sent)]);
        place.pull(&["-q"], "one")
    })
}

fn accepted(what: &str, archive: &[Vec<u8>]) {
    for seen in pull(archive) {
        assert_eq!(
            seen.code,
            Some(0),
            "{what} is fine. On stdout: {}On stderr: {}",
            seen.stdout,
            seen.stderr
        );
    }
}

fn refused(what: &str, archive: &[Vec<u8>]) {
    for seen in pull(archive) {
        assert!(
            seen.code == Some(1)
                && seen
                    .stderr
                    .contains("something follows the end of the archive"),
            "{what} should be refused. On stdout: {}On stderr: {}",
            seen.stdout,
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise 1: behind the end"]
fn ex1_another_archive_behind_the_end_is_refused() {
    refused(
        "another archive",
        &[file("a", "a"), zeros(1024), file("b", "b"), zeros(1024)],
    );
    refused(
        "an entry after one block of zeros",
        &[file("a", "a"), zeros(512), file("b", "b")],
    );
    refused(
        "an entry after an empty archive",
        &[zeros(512), file("b", "b")],
    );
}

#[test]
#[ignore = "exercise 1: behind the end"]
fn ex1_a_single_byte_is_enough_wherever_it_is() {
    refused(
        "a byte right behind the end",
        &[file("a", "a"), zeros(512), b"x".to_vec()],
    );
    refused(
        "the last byte",
        &[file("a", "a"), zeros(10240), b"\n".to_vec()],
    );
    refused(
        "a byte after a megabyte",
        &[
            file("a", "a"),
            zeros(1 << 20),
            b"x".to_vec(),
            zeros(1 << 20),
        ],
    );
}

#[test]
#[ignore = "exercise 1: behind the end"]
fn ex1_zeros_and_nothing_at_all_are_fine() {
    accepted(
        "an archive with two blocks of zeros",
        &[file("a", "a"), zeros(1024)],
    );
    accepted("one block of zeros", &[file("a", "a"), zeros(512)]);
    accepted("no block of zeros", &[file("a", "a"), file("b", "")]);
    accepted("a megabyte of zeros", &[file("a", "a"), zeros(1 << 20)]);
    accepted(
        "zeros that do not fill a block",
        &[file("a", "a"), zeros(700)],
    );
    accepted("an empty archive", &[zeros(1024)]);
}
