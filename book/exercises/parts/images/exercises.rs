//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::HashMap;
use std::fs;
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

/// A state directory with three images: two names for one, and one in a repository of two words. Another one has lost
/// its name.
fn place() -> Place {
    let layer = |name: &str| vec![Layer::new().file(name, "")];
    let mut images = vec![
        ("web", layer("web")),
        ("tools/web", layer("web")),
        ("base", layer("base")),
    ];
    images.push(("tools/web-server", layer("server")));
    let place = Place::with(images);
    for name in ["web", "tools/web", "base", "tools/web-server"] {
        place.pull(name);
    }
    // As if somebody had published another image under its name.
    let index = place.directory.path().join("images/index.json");
    let text = fs::read_to_string(&index).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let annotations =
        |entry: &mut Value| entry["annotations"]["org.opencontainers.image.ref.name"].take();
    for entry in value["manifests"].as_array_mut().unwrap() {
        if annotations(&mut entry.clone())
            .as_str()
            .is_some_and(|name| name.ends_with("/base:1"))
        {
            entry.as_object_mut().unwrap().remove("annotations");
        }
    }
    fs::write(&index, value.to_string()).unwrap();
    place
}

/// The repositories that `images` lists with these filters. Their registry is called R.
fn list(place: &Place, filters: &[&str]) -> Vec<String> {
    let mut arguments = vec!["images", "--format", "json"];
    let filters: Vec<_> = filters
        .iter()
        .map(|it| format!("reference={}", it.replace('R', &place.registry)))
        .collect();
    arguments.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
    let (code, stdout, stderr) = place.see(&arguments);
    assert_eq!(code, Some(0), "{filters:?}: {stderr}");
    let name = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["Repository"]
            .as_str()
            .unwrap()
            .replace(&place.registry, "R")
    };
    let mut names: Vec<_> = stdout.lines().map(name).collect();
    names.sort();
    names
}

#[test]
#[ignore = "exercise 1: only those"]
fn ex1_a_pattern_matches_a_name_or_a_name_with_its_tag() {
    let place = place();
    assert_eq!(list(&place, &["R/web"]), ["R/web"]);
    assert_eq!(list(&place, &["R/web:1"]), ["R/web"]);
    assert_eq!(list(&place, &["R/web:2"]), [""; 0]);
    assert_eq!(list(&place, &["R/w"]), [""; 0], "all of it has to match");
    assert_eq!(list(&place, &["eb"]), [""; 0], "all of it has to match");
    assert_eq!(list(&place, &["R/tools/*eb"]), ["R/tools/web"]);
    assert_eq!(
        list(&place, &["R/tools/web*"]),
        ["R/tools/web", "R/tools/web-server"]
    );
    assert_eq!(list(&place, &["R/*/*s*er:*"]), ["R/tools/web-server"]);
}

#[test]
#[ignore = "exercise 1: only those"]
fn ex1_a_star_is_no_slash() {
    let place = place();
    assert_eq!(list(&place, &["*/*"]), ["R/web"]);
    assert_eq!(
        list(&place, &["*:1"]),
        [""; 0],
        "a star does not match R/web"
    );
    assert_eq!(list(&place, &["*/*/web"]), ["R/tools/web"]);
    assert_eq!(list(&place, &["*"]), [""; 0]);
}

#[test]
#[ignore = "exercise 1: only those"]
fn ex1_one_of_several_filters_is_enough() {
    let place = place();
    assert_eq!(
        list(&place, &["R/web", "*/*/web"]),
        ["R/tools/web", "R/web"]
    );
    let all = ["<none>", "R/tools/web", "R/tools/web-server", "R/web"];
    assert_eq!(list(&place, &[]), all, "without a filter");
}

#[test]
#[ignore = "exercise 1: only those"]
fn ex1_any_other_filter_is_a_usage_error() {
    let place = Place::with(Vec::new());
    for filter in ["color=red", "reference", ""] {
        let (code, stdout, stderr) = place.see(&["images", "-f", filter]);
        assert_eq!(
            (code, &stdout[..]),
            (place.see(&["images", "--nosuch"]).0, ""),
            "{filter}: {stderr}"
        );
        assert!(
            !stderr.contains("unexpected argument"),
            "there is no -f: {stderr}"
        );
    }
}
