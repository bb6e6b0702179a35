//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A registry with one image, which answers each request after a moment.
struct Registry {
    port: u16,
    /// The digests of the layers, in the order in which they were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// With an image whose layers have these `sizes`, in KiB, from the bottom. Returns their digests, too.
    fn new(sizes: &[usize]) -> (Self, Vec<String>) {
        let mut files = BTreeMap::new();
        let mut add = |media_type: &str, bytes: Vec<u8>| {
            let digest = digest(&bytes);
            let kind = format!("application/vnd.oci.image.{media_type}");
            let found = json!({"mediaType": kind, "digest": digest, "size": bytes.len()});
            files.insert(format!("/v2/image/blobs/{digest}"), bytes);
            found
        };
        let layers: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| layer(n, *size))
            .collect();
        let digests: Vec<_> = layers.iter().map(|layer| digest(layer)).collect();
        let layers = layers.into_iter().map(|layer| add("layer.v1.tar", layer));
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
        let config = add("config.v1+json", config.to_string().into_bytes());
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        files.insert(
            "/v2/image/manifests/1".to_owned(),
            manifest.to_string().into_bytes(),
        );
        (Self::serve(files, digests.clone()), digests)
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
        sleep(Duration::from_millis(300));
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
fn layer(number: usize, size: usize) -> Vec<u8> {
    let place = TempDir::new().unwrap();
    let name = format!("file{number}");
    fs::write(place.path().join(&name), vec![number as u8; size * 1024]).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--owner", "0", "--group", "0", "-c", &name])
        .current_dir(place.path());
    tar.output().unwrap().stdout
}

/// Pulls an image, and returns which layers were asked for, and which were printed, as numbers from the bottom.
fn pull(sizes: &[usize]) -> [Vec<usize>; 2] {
    let state = TempDir::new().unwrap();
    let (registry, digests) = Registry::new(sizes);
    let mut pull = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    pull.args(["pull", &format!("127.0.0.1:{}/image:1", registry.port)]);
    pull.stdin(Stdio::null())
        .env("TINY_DOCKER_ROOT", state.path());
    let output = pull.env("DOCKER_CONFIG", state.path()).output().unwrap();
    assert!(output.status.success(), "the pull fails: {output:?}");
    let number = |layer: &str| digests.iter().position(|digest| digest.contains(layer));
    let asked = registry.asked.lock().unwrap();
    let asked = asked.iter().filter_map(|layer| number(layer)).collect();
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said
        .lines()
        .filter_map(|line| line.strip_suffix(": Pull complete"));
    [asked, said.filter_map(number).collect()]
}

/// Layers of one round: three threads ask for them at the same time, in any order.
fn round(mut layers: Vec<usize>) -> Vec<usize> {
    layers.sort_unstable();
    layers
}

#[test]
#[ignore = "exercise 1: the largest first"]
fn ex1_the_largest_blobs_come_first() {
    let [asked, _] = pull(&[10, 60, 20, 50, 30, 40]);
    let first = round(asked[..3].to_vec());
    assert_eq!(
        first,
        [1, 3, 5],
        "of 10, 60, 20, 50, 30 and 40 KiB, these layers came first"
    );
    assert_eq!(
        round(asked[3..].to_vec()),
        [0, 2, 4],
        "each layer should be fetched once"
    );
}

#[test]
#[ignore = "exercise 1: the largest first"]
fn ex1_blobs_of_the_same_size_stay_in_order() {
    let [asked, _] = pull(&[10, 10, 10, 10, 10, 20]);
    assert_eq!(
        round(asked[..3].to_vec()),
        [0, 1, 5],
        "the large one, and the lowest of the others"
    );
    assert_eq!(round(asked[3..].to_vec()), [2, 3, 4]);
}

#[test]
#[ignore = "exercise 1: the largest first"]
fn ex1_what_is_printed_stays_in_order() {
    // These three arrive together, and get their names together.
    let [_, said] = pull(&[10, 20, 30]);
    assert_eq!(said, [0, 1, 2], "the lines should come from the bottom");
}
