//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

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

impl Place {
    /// An image whose layers have so many bytes, when they are decompressed.
    fn layers(&self, tag: &str, sizes: &[usize]) {
        let archives: Vec<_> = sizes.iter().map(|size| vec![0; *size]).collect();
        let sent: Vec<_> = archives.iter().map(|archive| packed(archive)).collect();
        let layers: Vec<_> = archives.iter().map(Vec::as_slice).collect();
        let layers = layers.into_iter().zip(sent.iter().map(Vec::as_slice));
        self.image(tag, &layers.collect::<Vec<_>>());
    }

    /// The same as `pull`, but not forever.
    fn pull_in_time(&self, options: &[&str], tag: &str) -> Seen {
        thread::scope(|scope| {
            let pull = scope.spawn(|| self.pull(options, tag));
            let started = Instant::now();
            while !pull.is_finished() && started.elapsed() < Duration::from_secs(30) {
                thread::sleep(Duration::from_millis(10));
            }
            if !pull.is_finished() {
                eprintln!("pull {options:?} does not end: does a thread wait for another one?");
                std::process::exit(1);
            }
            pull.join().unwrap()
        })
    }

    fn fits(&self, size: &str, tag: &str) {
        let seen = self.pull_in_time(&["-q", "--max-size", size], tag);
        let name = format!("{}\n", self.name(tag));
        assert_eq!(
            (seen.code, seen.stdout),
            (Some(0), name),
            "pull --max-size {size} {tag} should succeed. On stderr: {}",
            seen.stderr
        );
    }

    fn does_not_fit(&self, size: &str, bytes: u64, tag: &str) {
        let seen = self.pull_in_time(&["-q", "--max-size", size], tag);
        let expected = format!("the layers are larger than {bytes} bytes");
        assert!(
            seen.code == Some(1) && seen.stdout.is_empty() && seen.stderr.contains(&expected),
            "pull --max-size {size} {tag} should say: {expected}. On stdout: {}On stderr: {}",
            seen.stdout,
            seen.stderr
        );
    }
}

fn packed(archive: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(archive).unwrap();
    gzip.finish().unwrap()
}

#[test]
#[ignore = "exercise 1: pull --max-size"]
fn ex1_all_layers_count_together() {
    let place = Place::new();
    place.layers("three", &[10240, 10240, 20480]);
    place.does_not_fit("20480", 20480, "three");
    place.does_not_fit("40959", 40959, "three");
    place.does_not_fit("39k", 39 << 10, "three");
    place.fits("40960", "three");
    place.fits("40k", "three");
    place.fits("1g", "three");
    place.layers("one", &[10240]);
    place.fits("10k", "one");
    place.does_not_fit("1", 1, "one");
}

#[test]
#[ignore = "exercise 1: pull --max-size"]
fn ex1_it_stops_at_the_first_byte_that_is_too_many() {
    let place = Place::new();
    let archive = vec![0; 16 << 20];
    // Whoever reads on finds out that it is damaged.
    let sent = [&packed(&archive)[..], b"and nothing that could be read"].concat();
    place.image("damaged", &[(&archive, &sent)]);
    let seen = place.pull(&["-q"], "damaged");
    assert!(
        seen.stderr.contains("damaged"),
        "without --max-size: {}",
        seen.stderr
    );
    place.does_not_fit("1m", 1 << 20, "damaged");
}

#[test]
#[ignore = "exercise 1: pull --max-size"]
fn ex1_nothing_else_changes() {
    let place = Place::new();
    place.layers("two", &[10240, 10240]);
    place.does_not_fit("10k", 10240, "two");
    let seen = place.pull(&[], "two");
    assert!(
        seen.code == Some(0) && seen.stdout.contains("Downloaded newer image"),
        "what was refused should not be in the store. On stdout: {}On stderr: {}",
        seen.stdout,
        seen.stderr
    );
    for wrong in ["", "x", "1x", "10 k", "m"] {
        let seen = place.pull(&["--max-size", wrong], "two");
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "--max-size '{wrong}'"
        );
    }
}
