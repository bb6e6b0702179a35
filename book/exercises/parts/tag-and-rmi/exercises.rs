//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// The entries of a layer.
struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn add(mut self, kind: EntryType, name: &str, link: &str, content: &[u8], time: u64) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        if !link.is_empty() {
            header.set_link_name_literal(link).unwrap();
        }
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.add(EntryType::Regular, name, "", content.as_bytes(), 1)
    }
}

type Documents = HashMap<String, Vec<u8>>;

/// A state directory, and a registry in this process.
struct Place {
    directory: TempDir,
    registry: String,
}

impl Place {
    /// The registry has an image `NAME:1` for each of these, with its layers from the bottom.
    fn with(images: Vec<(&str, Vec<Layer>)>) -> Self {
        let mut documents = Documents::new();
        for (name, layers) in images {
            publish(name, layers, &mut documents);
        }
        let documents = Arc::new(documents);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for call in listener.incoming().flatten() {
                let documents = Arc::clone(&documents);
                thread::spawn(move || answer(call, &documents));
            }
        });
        let directory = TempDir::new().unwrap();
        Self {
            directory,
            registry,
        }
    }

    /// Runs `tiny-docker ARGUMENTS…`. Returns its exit code, and what it prints on stdout and stderr.
    fn see(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.directory.path());
        command.env("DOCKER_CONFIG", self.directory.path().join("docker"));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        (output.status.code(), stdout, stderr)
    }

    /// Pulls `NAME:1`, which works. Returns what is on stderr.
    fn pull(&self, name: &str) -> String {
        let (code, _, stderr) = self.see(&["pull", "-q", &self.name(name)]);
        assert_eq!(code, Some(0), "{name} should be pulled: {stderr}");
        stderr
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}:1", self.registry)
    }
}

fn publish(name: &str, layers: Vec<Layer>, documents: &mut Documents) {
    let mut add = |kind: &str, bytes: Vec<u8>| {
        let hex: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (digest, size) = (format!("sha256:{hex}"), bytes.len());
        documents.insert(digest.clone(), bytes);
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": size})
    };
    let layers = layers
        .into_iter()
        .map(|layer| layer.0.into_inner().unwrap());
    let layers: Vec<_> = layers.map(|layer| add("layer.v1.tar", layer)).collect();
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer["digest"]).collect();
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
    let config = json!({"os": "linux", "architecture": machine, "config": {}, "rootfs": rootfs});
    let config = add("config.v1+json", config.to_string().into_bytes());
    let manifest = manifest(&config, &layers).to_string().into_bytes();
    documents.insert(format!("{name}/manifests/1"), manifest);
}

fn manifest(config: &Value, layers: &[Value]) -> Value {
    let kind = "application/vnd.oci.image.manifest.v1+json";
    json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers})
}

/// Answers one request, and hangs up.
fn answer(mut call: TcpStream, documents: &Documents) {
    let lines = BufReader::new(call.try_clone().unwrap()).lines();
    let lines: Vec<_> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let path = lines.first().and_then(|line| line.split(' ').nth(1));
    let path = path.unwrap_or_default().trim_start_matches("/v2/");
    let last = path.rsplit('/').next().unwrap_or_default();
    let (status, body) = match documents.get(path).or_else(|| documents.get(last)) {
        Some(body) => ("200 OK", &body[..]),
        None => ("404 Not Found", &b""[..]),
    };
    let kind = match path.contains("/manifests/") {
        true => "application/vnd.oci.image.manifest.v1+json",
        false => "application/octet-stream",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = call
        .write_all(head.as_bytes())
        .and_then(|()| call.write_all(body));
}

const MILLION: usize = 1_000_000;

/// Two images, `base` and `web`, which has everything of `base` and another million bytes. Layers are not compressed, so
/// everything is there twice: as a blob, and unpacked.
fn place() -> Place {
    let zeros = |name: &str, size: usize| Layer::new().file(name, &"0".repeat(size));
    let base = || zeros("base", 5 * MILLION);
    let place = Place::with(vec![
        ("base", vec![base()]),
        ("web", vec![base(), zeros("web", MILLION)]),
    ]);
    for name in ["base", "web"] {
        place.pull(name);
    }
    place
}

/// How many megabytes `rmi -v` says that it has freed, and whatever else it prints.
fn freed(place: &Place, option: &str, names: &[&str], expected: i32) -> (f64, Vec<String>) {
    let mut arguments = vec!["rmi", option];
    arguments.extend(names);
    let (code, stdout, stderr) = place.see(&arguments);
    assert_eq!(code, Some(expected), "rmi {option}: {stderr}");
    let mut lines: Vec<_> = stdout.lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_default();
    let size = last.strip_prefix("Total reclaimed space: ");
    let size = size.unwrap_or_else(|| panic!("the last line is {last:?}"));
    let number = size.trim_end_matches(char::is_alphabetic).parse::<f64>();
    let unit = match size.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit()) {
        "B" => 0.000_001,
        "kB" => 0.001,
        "MB" => 1.0,
        other => panic!("{size}: what is {other}?"),
    };
    (
        number.unwrap_or_else(|_| panic!("{size} is no size")) * unit,
        lines,
    )
}

#[test]
#[ignore = "exercise 1: what is it worth?"]
fn ex1_what_others_need_is_not_freed() {
    let place = place();
    let (web, base) = (place.name("web"), place.name("base"));
    let (size, lines) = freed(&place, "-v", &[&web], 0);
    assert!(
        (2.0..2.2).contains(&size),
        "{size} MB for a million bytes, twice"
    );
    assert_eq!(
        lines.len(),
        3,
        "one line for the name, the image and the layer: {lines:?}"
    );
    let (size, _) = freed(&place, "--verbose", &[&base], 0);
    assert!(
        (10.0..10.2).contains(&size),
        "{size} MB for five million bytes, twice"
    );
}

#[test]
#[ignore = "exercise 1: what is it worth?"]
fn ex1_all_arguments_count_together_and_errors_do_not_matter() {
    let place = place();
    let (web, base) = (place.name("web"), place.name("base"));
    let (size, _) = freed(&place, "-v", &[&web, "nosuch", &base], 1);
    assert!(
        (12.0..12.3).contains(&size),
        "{size} MB for six million bytes, twice"
    );
    assert!(!place.directory.path().join("images").exists());
    let (size, lines) = freed(&place, "-v", &["nosuch"], 1);
    assert_eq!((size, lines.len()), (0.0, 0));
}

#[test]
#[ignore = "exercise 1: what is it worth?"]
fn ex1_a_name_is_worth_nothing() {
    let place = place();
    let web = place.name("web");
    assert_eq!(place.see(&["tag", &web, "another"]).0, Some(0));
    let (size, lines) = freed(&place, "-v", &["another"], 0);
    assert_eq!((size, lines.len()), (0.0, 1), "only a name has gone");
    let (code, stdout, _) = place.see(&["rmi", &web]);
    assert_eq!(code, Some(0));
    assert!(!stdout.contains("space"), "without -v: {stdout}");
}
