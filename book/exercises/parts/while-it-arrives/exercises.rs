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

use nix::sys::statvfs::statvfs;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A registry with one image.
struct Registry {
    port: u16,
    /// The digests of the layers, in the order in which they were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// With an image of these layers, from the bottom: a number, and the size that the manifest says, or else the right
    /// one.
    fn new(image: &[(u8, Option<u64>)]) -> Self {
        let mut files = BTreeMap::new();
        let mut add = |media_type: &str, bytes: Vec<u8>, size: Option<u64>| {
            let digest = digest(&bytes);
            let kind = format!("application/vnd.oci.image.{media_type}");
            let size = size.unwrap_or(bytes.len() as u64);
            let found = json!({"mediaType": kind, "digest": digest, "size": size});
            files.insert(format!("/v2/image/blobs/{digest}"), bytes);
            found
        };
        let digests: Vec<_> = image.iter().map(|(n, _)| digest(&layer(*n))).collect();
        let layers = image
            .iter()
            .map(|(n, size)| add("layer.v1.tar", layer(*n), *size));
        let layers: Vec<Value> = layers.collect();
        let machine = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let config = json!({
            "os": "linux", "architecture": machine,
            "rootfs": {"type": "layers", "diff_ids": digests},
        });
        let config = add("config.v1+json", config.to_string().into_bytes(), None);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        files.insert(
            "/v2/image/manifests/1".to_owned(),
            manifest.to_string().into_bytes(),
        );
        Self::serve(files, digests)
    }

    fn serve(files: BTreeMap<String, Vec<u8>>, layers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (files, noted) = (Arc::new(files), Arc::clone(&asked));
        thread::spawn(move || {
            for call in listener.incoming() {
                let (files, noted, layers) =
                    (Arc::clone(&files), Arc::clone(&noted), layers.clone());
                thread::spawn(move || answer(call.unwrap(), &files, &layers, &noted));
            }
        });
        Self { port, asked }
    }
}

fn answer(
    mut call: TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    layers: &[String],
    noted: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut lines = BufReader::new(call.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    while !lines.next()?.ok()?.is_empty() {}
    if let Some(layer) = layers.iter().find(|layer| path.ends_with(*layer)) {
        noted.lock().unwrap().push(layer.clone());
    }
    let none = Vec::new();
    let (status, body) = match (files.get(&path), &path[..]) {
        (Some(body), _) => (200, body),
        (None, "/v2/") => (200, &none),
        _ => (404, &none),
    };
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    call.write_all(head.as_bytes()).ok()?;
    call.write_all(body).ok()
}

fn digest(bytes: &[u8]) -> String {
    let hex = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    format!("sha256:{hex}")
}

/// A tar archive with one file.
fn layer(number: u8) -> Vec<u8> {
    let place = TempDir::new().unwrap();
    let name = format!("file{number}");
    fs::write(place.path().join(&name), [number; 1000]).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--owner", "0", "--group", "0", "--mtime", "@0", "-c", &name]);
    tar.current_dir(place.path()).output().unwrap().stdout
}

/// Pulls an image of these layers. Returns the exit code, stderr, and how many layers were asked for.
fn pull(image: &[(u8, Option<u64>)]) -> (Option<i32>, String, usize) {
    let state = TempDir::new().unwrap();
    let registry = Registry::new(image);
    let mut pull = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    pull.args(["pull", &format!("127.0.0.1:{}/image:1", registry.port)]);
    pull.stdin(Stdio::null())
        .env("TINY_DOCKER_ROOT", state.path());
    let output = pull.env("DOCKER_CONFIG", state.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let asked = registry.asked.lock().unwrap().len();
    (output.status.code(), said, asked)
}

/// How much of the disk is free, in bytes.
fn free() -> u64 {
    let place = TempDir::new().unwrap();
    let disk = statvfs(place.path()).unwrap();
    disk.blocks_available() * disk.fragment_size()
}

fn assert_refused(image: &[(u8, Option<u64>)]) {
    let (code, said, asked) = pull(image);
    let what = format!("layers of {image:?} bytes: {code:?}, {said}");
    assert_eq!(asked, 0, "nothing should be asked for: {what}");
    assert!(code == Some(1) && said.contains(" left"), "{what}");
}

#[test]
#[ignore = "exercise 1: before the first byte"]
fn ex1_what_cannot_fit_is_not_asked_for() {
    assert_refused(&[(1, None), (2, Some(1 << 60))]);
    assert_refused(&[(1, Some(free() + free() / 10))]);
}

#[test]
#[ignore = "exercise 1: before the first byte"]
fn ex1_all_layers_have_to_fit() {
    let most = Some(free() / 4 * 3);
    assert_refused(&[(1, most), (2, most)]);
    // Their sum is more than a u64 has room for.
    let half = Some(1 << 63);
    assert_refused(&[(1, half), (2, half), (3, None)]);
}

#[test]
#[ignore = "exercise 1: before the first byte"]
fn ex1_what_fits_is_fetched() {
    let (code, said, asked) = pull(&[(1, None), (2, None), (1, None)]);
    assert_eq!((code, asked), (Some(0), 2), "{said}");
    // One blob, which is in the image twice. The registry has less of it than the manifest says.
    let most = Some(free() / 4 * 3);
    let (_, said, asked) = pull(&[(1, most), (1, most)]);
    assert_ne!(
        asked, 0,
        "a blob counts once, however many layers it is: {said}"
    );
    assert_refused(&[(1, Some(1 << 60))]);
}
