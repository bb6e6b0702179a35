//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The size of the image's only layer, which takes half a second to arrive.
const SIZE: usize = 999_936;

/// Serves an image at the returned port of 127.0.0.1.
fn registry() -> u16 {
    let mut files = BTreeMap::new();
    let mut add = |media_type: &str, bytes: Vec<u8>| {
        let digest = digest(&bytes);
        let kind = format!("application/vnd.oci.image.{media_type}");
        let found = json!({"mediaType": kind, "digest": digest, "size": bytes.len()});
        files.insert(format!("/v2/image/blobs/{digest}"), bytes);
        found
    };
    // An archive that ends at once.
    let layer = vec![0; SIZE];
    let diff_id = digest(&layer);
    let layer = add("layer.v1.tar", layer);
    let machine = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let config = json!({
        "os": "linux", "architecture": machine,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    });
    let config = add("config.v1+json", config.to_string().into_bytes());
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    files.insert(
        "/v2/image/manifests/1".to_owned(),
        manifest.to_string().into_bytes(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let files = Arc::new(files);
    thread::spawn(move || {
        for call in listener.incoming() {
            let files = Arc::clone(&files);
            thread::spawn(move || answer(call.unwrap(), &files));
        }
    });
    port
}

fn answer(mut call: TcpStream, files: &BTreeMap<String, Vec<u8>>) -> Option<()> {
    let mut lines = BufReader::new(call.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    while !lines.next()?.ok()?.is_empty() {}
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
    for piece in body.chunks(SIZE / 5) {
        call.write_all(piece).ok()?;
        sleep(Duration::from_millis(120));
    }
    Some(())
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The names of the threads that pull the image, sorted, while it arrives.
fn threads() -> Vec<String> {
    let state = TempDir::new().unwrap();
    let mut pull = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    pull.args(["pull", "-q", &format!("127.0.0.1:{}/image:1", registry())]);
    pull.stdin(Stdio::null()).stdout(Stdio::null());
    pull.env("TINY_DOCKER_ROOT", state.path())
        .env("DOCKER_CONFIG", state.path());
    let mut child = pull.spawn().unwrap();
    let start = Instant::now();
    let mut seen = BTreeMap::<_, usize>::new();
    while start.elapsed() < Duration::from_secs(10) && child.try_wait().unwrap().is_none() {
        *seen.entry(names(child.id())).or_default() += 1;
        sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success(), "the pull fails");
    // What is seen most often. For a moment, a new thread has the name of the one that has started it.
    let most = seen.into_iter().max_by_key(|(_, times)| *times);
    most.map(|(names, _)| names).unwrap_or_default()
}

/// The names of the threads of the process that `pull` has started for its work.
fn names(pull: u32) -> Vec<String> {
    let children = fs::read_to_string(format!("/proc/{pull}/task/{pull}/children"));
    let children = children.unwrap_or_default();
    let Some(worker) = children.split_whitespace().next() else {
        return Vec::new();
    };
    let threads = fs::read_dir(format!("/proc/{worker}/task")).into_iter();
    let names = threads.flatten().flatten().filter_map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        Some(name.trim_end().to_owned())
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
#[ignore = "exercise 1: whose hand is it?"]
fn ex1_each_thread_has_a_name() {
    let names = threads();
    assert_eq!(
        names.len(),
        6,
        "a pull of one layer should have six threads: {names:?}"
    );
    let own = names.iter().filter(|name| name.starts_with("tiny-docker"));
    assert_eq!(
        own.count(),
        1,
        "only the one that watches keeps its name: {names:?}"
    );
    for name in ["decompress", "fetch", "finish", "hash", "unpack"] {
        let count = names.iter().filter(|one| *one == name).count();
        assert_eq!(count, 1, "one thread should be called {name}: {names:?}");
    }
}
