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

/// The variant that every machine of this architecture has.
const VARIANT: &str = match cfg!(target_arch = "x86_64") {
    true => "v1",
    false => "v8",
};

impl Place {
    /// An index for these platforms. Each image has a layer that says for which platform it is.
    fn index(&self, tag: &str, platforms: &[&str]) {
        let entry = |platform: &&str| {
            let mut entry = self.image("one", &[(platform.as_bytes(), platform.as_bytes())]);
            let mut words = platform.split('/');
            entry["platform"] = json!({"os": words.next(), "architecture": words.next()});
            if let Some(variant) = words.next() {
                entry["platform"]["variant"] = json!(variant);
            }
            entry
        };
        let entries: Vec<_> = platforms.iter().map(entry).collect();
        let index = json!({"schemaVersion": 2, "manifests": entries});
        self.document(tag, "index.v1+json", &index);
    }

    /// That `options` choose the image for `platform`.
    fn expect(&self, options: &[&str], tag: &str, platform: &str) {
        let seen = self.pull(options, tag);
        assert!(
            seen.code == Some(0) && seen.stdout.contains(&digest(platform.as_bytes())),
            "pull {options:?} should choose {platform}. On stdout: {}On stderr: {}",
            seen.stdout,
            seen.stderr
        );
    }

    /// Checks that the image is refused, because it does not exist for `platform`.
    fn refused(&self, platform: &str, tag: &str) {
        let seen = self.pull(&["--platform", platform], tag);
        let expected = format!("there is none for {platform}: ");
        assert!(
            seen.code == Some(1) && seen.stderr.contains(&expected),
            "pull --platform {platform} should say: {expected}… On stdout: {}On stderr: {}",
            seen.stdout,
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise 1: pull --platform"]
fn ex1_a_platform_is_chosen_from_an_index() {
    let place = Place::new();
    let here = format!("linux/{HERE}");
    let exact = format!("linux/{HERE}/{VARIANT}");
    let all = [
        "linux/riscv64",
        "windows/amd64",
        "linux/arm/v6",
        "linux/arm/v7",
        &exact,
    ];
    place.index("all", &all);
    place.expect(&["--platform", "linux/riscv64"], "all", "linux/riscv64");
    place.expect(&["--platform", "riscv64"], "all", "linux/riscv64");
    place.expect(&["--platform=windows/amd64"], "all", "windows/amd64");
    place.expect(&["--platform", "linux/arm/v7"], "all", "linux/arm/v7");
    place.expect(&["--platform", &here], "all", &exact);
    place.expect(&[], "all", &exact);
    place.index("plain", &["linux/riscv64/v9", "linux/riscv64", &here]);
    place.expect(&["--platform", "riscv64"], "plain", "linux/riscv64");
    place.expect(&[], "plain", &here);
}

#[test]
#[ignore = "exercise 1: pull --platform"]
fn ex1_a_platform_that_is_missing_is_named() {
    let place = Place::new();
    place.index("arm", &["linux/arm/v6", "linux/arm/v7"]);
    place.refused("linux/s390x", "arm");
    place.refused("linux/arm/v5", "arm");
    // Whose programs may run on that machine, we do not guess.
    place.refused("linux/arm", "arm");
    let seen = place.pull(&[], "arm");
    let expected = format!("there is none for linux/{HERE}: ");
    assert!(
        seen.stderr.contains(&expected),
        "without --platform: {}",
        seen.stderr
    );
}

#[test]
#[ignore = "exercise 1: pull --platform"]
fn ex1_what_is_not_a_platform_is_a_usage_error() {
    let place = Place::new();
    place.index("one", &["linux/riscv64"]);
    place.expect(&["--platform", "riscv64"], "one", "linux/riscv64");
    for wrong in ["", "/", "linux/", "/arm64", "linux//v7", "linux/arm/v7/x"] {
        let seen = place.pull(&["--platform", wrong], "one");
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "pull --platform '{wrong}' should be refused. On stderr: {}",
            seen.stderr
        );
    }
}
