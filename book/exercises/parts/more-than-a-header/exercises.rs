//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::collections::HashMap;
use std::ffi::CString;
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

/// A file with these pax records in front of it.
fn file(records: &[(&str, &str)]) -> Layer {
    let mut layer = Layer::new();
    let records = records.iter().map(|(key, value)| (*key, value.as_bytes()));
    layer.0.append_pax_extensions(records).unwrap();
    layer.file("file", "")
}

/// An attribute of the file. None if it has no such attribute.
fn attribute(place: &Place, name: &str) -> Option<String> {
    let path = place.find("file")[0].to_str().unwrap().to_owned();
    let (path, name) = (CString::new(path).unwrap(), CString::new(name).unwrap());
    let mut value = [0_u8; 100];
    // SAFETY: the call reads both texts up to their ends, and writes at most as many bytes as there are.
    let length = unsafe {
        libc::getxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    let value = value.get(..usize::try_from(length).ok()?)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Not every filesystem has such attributes.
fn has_attributes(place: &Place) -> bool {
    let path = CString::new(place.directory.path().to_str().unwrap()).unwrap();
    // SAFETY: the call only reads both texts up to their ends, and one byte.
    let set = unsafe {
        libc::setxattr(
            path.as_ptr(),
            c"user.test".as_ptr(),
            b"x".as_ptr().cast(),
            1,
            0,
        )
    };
    if set != 0 {
        println!("skipped: this filesystem has no extended attributes");
    }
    set == 0
}

#[test]
#[ignore = "exercise 1: in another dialect"]
fn ex1_a_value_is_in_base64_and_a_name_may_be_escaped() {
    let layer = file(&[
        ("LIBARCHIVE.xattr.user.a", "YWJj"),
        ("LIBARCHIVE.xattr.user.my%20note", "dGV4dA"),
        ("LIBARCHIVE.xattr.user.%4C%6c", "MTIzNDU"),
    ]);
    let place = Place::with(vec![("bsd", vec![layer])]);
    if !has_attributes(&place) {
        return;
    }
    place.pull("bsd");
    for (name, value) in [
        ("user.a", "abc"),
        ("user.my note", "text"),
        ("user.Ll", "12345"),
    ] {
        assert_eq!(
            attribute(&place, name).as_deref(),
            Some(value),
            "the attribute {name}"
        );
    }
}

#[test]
#[ignore = "exercise 1: in another dialect"]
fn ex1_schily_counts_more_wherever_it_stands() {
    let first = ("LIBARCHIVE.xattr.user.a", "YWJj");
    let second = ("SCHILY.xattr.user.a", "schily");
    for (name, records) in [("one", [first, second]), ("two", [second, first])] {
        let place = Place::with(vec![(name, vec![file(&records)])]);
        if !has_attributes(&place) {
            return;
        }
        place.pull(name);
        assert_eq!(
            attribute(&place, "user.a").as_deref(),
            Some("schily"),
            "{name}: {records:?}"
        );
    }
}

#[test]
#[ignore = "exercise 1: in another dialect"]
fn ex1_what_is_damaged_is_refused() {
    for (name, record) in [
        ("value", ("LIBARCHIVE.xattr.user.a", "*")),
        ("escape", ("LIBARCHIVE.xattr.user.%zz", "YWJj")),
        ("plus", ("LIBARCHIVE.xattr.user.%+1", "YWJj")),
        ("short", ("LIBARCHIVE.xattr.user.%4", "YWJj")),
    ] {
        Place::with(vec![(name, vec![file(&[record])])]).refuse(name);
    }
}

#[test]
#[ignore = "exercise 1: in another dialect"]
fn ex1_overlayfs_gets_no_notes_in_this_dialect_either() {
    for (name, key) in [
        ("plain", "LIBARCHIVE.xattr.trusted.overlay.redirect"),
        ("escaped", "LIBARCHIVE.xattr.trusted%2Eoverlay.redirect"),
    ] {
        let place = Place::with(vec![(name, vec![file(&[(key, "L2V0Yw")])])]);
        let reason = place.refuse(name);
        assert!(reason.contains("belongs to overlayfs"), "{reason}");
    }
}
