//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
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

    fn directory(self, name: &str, time: u64) -> Self {
        self.add(EntryType::Directory, name, "", b"", time)
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.add(EntryType::Symlink, name, target, b"", 1)
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

    /// Tries to pull `NAME:1`, which is refused. Returns the reason.
    fn refuse(&self, name: &str) -> String {
        let (code, _, stderr) = self.see(&["pull", "-q", &self.name(name)]);
        assert_eq!(code, Some(1), "{name} should be refused: {stderr}");
        stderr
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}:1", self.registry)
    }

    /// Where the unpacked layers have `path`: everything that is not a link to nowhere.
    fn find(&self, path: &str) -> Vec<PathBuf> {
        let layers = fs::read_dir(self.directory.path().join("images/layers"));
        let layers = layers.into_iter().flatten().flatten();
        let places = layers.map(|layer| layer.path().join(path));
        places
            .filter(|place| place.symlink_metadata().is_ok())
            .collect()
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

fn base() -> Layer {
    Layer::new().directory("etc/", 1)
}

#[test]
#[ignore = "exercise 1: in the way"]
fn ex1_a_directory_takes_the_place_of_a_file_below() {
    let upper = Layer::new()
        .file("etc/conf/extra", "new")
        .file("etc/conf/d/more", "");
    let place = Place::with(vec![("image", vec![base().file("etc/conf", "old"), upper])]);
    place.pull("image");
    assert_eq!(
        place.find("etc/conf/extra").len(),
        1,
        "etc/conf/extra is missing"
    );
    assert_eq!(
        place.find("etc/conf/d/more").len(),
        1,
        "etc/conf/d/more is missing"
    );
    let both = place.find("etc/conf");
    let files = both.iter().filter(|path| path.is_file()).count();
    assert_eq!((both.len(), files), (2, 1), "the layer below has changed");
}

#[test]
#[ignore = "exercise 1: in the way"]
fn ex1_a_link_is_still_followed() {
    let upper = || Layer::new().file("etc/conf/extra", "new");
    let place = Place::with(vec![
        ("nowhere", vec![base().link("etc/conf", "nowhere"), upper()]),
        (
            "inside",
            vec![
                base().directory("opt/", 1).link("etc/conf", "/opt"),
                upper(),
            ],
        ),
    ]);
    place.pull("nowhere");
    assert_eq!(
        place.find("etc/nowhere/extra").len(),
        1,
        "a link to what does not exist"
    );
    place.pull("inside");
    assert_eq!(place.find("opt/extra").len(), 1, "a link to a directory");
    let links = place.find("etc/conf");
    assert!(
        links.iter().all(|path| path.is_symlink()),
        "a link was replaced"
    );
}

#[test]
#[ignore = "exercise 1: in the way"]
fn ex1_an_archive_must_not_contradict_itself() {
    let upper = Layer::new()
        .file("etc/conf", "")
        .file("etc/conf/extra", "new");
    let place = Place::with(vec![("image", vec![base(), upper])]);
    place.refuse("image");
}
