//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A registry on this machine.
struct Server {
    /// 127.0.0.1:PORT
    name: String,
    /// What it has been asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

/// A registry whose answers are what `answer` makes of a path and the head of a request.
fn serve(answer: impl Fn(&str, &str) -> String + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    thread::spawn(move || {
        for caller in listener.incoming() {
            let mut caller = caller.unwrap();
            let head: String = BufReader::new(&caller)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .map(|line| line + "\n")
                .collect();
            let path = head.split(' ').nth(1).unwrap_or_default();
            log.lock().unwrap().push(path.to_owned());
            let _ = caller.write_all(answer(path, &head).as_bytes());
        }
    });
    Server { name, asked }
}

/// An answer with this status, these headers, and this body.
fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A manifest whose configuration has this type, and whose artifactType is that, if it is not null.
fn manifest(config: &str, artifact: Value) -> Value {
    let descriptor = |kind: &str| {
        let digest = format!("sha256:{}", "0".repeat(64));
        json!({"mediaType": kind, "digest": digest, "size": 2})
    };
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": artifact,
        "config": descriptor(config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar")],
    })
}

/// Pulls it, and returns "" if it is an image, or what stderr says about it.
fn pull(document: &Value) -> String {
    let text = document.to_string();
    let server = serve(move |_, _| answer("200 OK", "", &text));
    let name = format!("{}/hello:1", server.name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    let output = command.args(["pull", "-q", &name]).output().unwrap();
    let asked = server.asked.lock().unwrap().len();
    assert!(asked > 0, "nobody asks");
    let said = String::from_utf8(output.stderr).unwrap();
    let start = format!("tiny-docker: cannot pull {name}: ");
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    let said = said.strip_prefix(&start).unwrap_or(&said);
    said.trim_end().to_owned()
}

#[test]
#[ignore = "exercise 1: what else registries keep"]
fn ex1_an_artifact_is_called_by_its_type() {
    let kind = "application/vnd.example.sbom.v1+json";
    for config in [EMPTY, "application/vnd.example.config"] {
        assert_eq!(
            pull(&manifest(config, json!(kind))),
            format!("it is not an image, but of type {kind}")
        );
    }
}

#[test]
#[ignore = "exercise 1: what else registries keep"]
fn ex1_without_a_type_nothing_changes() {
    for nothing in [Value::Null, json!("")] {
        assert_eq!(
            pull(&manifest(EMPTY, nothing)),
            format!("it is not an image: its configuration is of type {EMPTY}")
        );
    }
    // So that nothing passes that knows no types.
    assert!(pull(&manifest(EMPTY, json!("a/b"))).ends_with("of type a/b"));
}

#[test]
#[ignore = "exercise 1: what else registries keep"]
fn ex1_images_and_charts_are_what_they_were() {
    let kind = json!("application/vnd.example.base");
    assert_eq!(pull(&manifest(CONFIG, kind.clone())), "");
    let chart = "application/vnd.cncf.helm.config.v1+json";
    assert_eq!(
        pull(&manifest(chart, kind.clone())),
        "it is a Helm chart, not an image"
    );
    assert_eq!(pull(&json!({"manifests": [], "artifactType": kind})), "");
    let artifact = manifest(EMPTY, kind);
    assert!(pull(&artifact).ends_with("of type application/vnd.example.base"));
}

#[test]
#[ignore = "exercise 1: what else registries keep"]
fn ex1_a_type_is_somebody_elses_text() {
    let said = pull(&manifest(EMPTY, json!("\u{1b}[2J\nall is well")));
    assert!(
        said.starts_with("it is not an image, but of type ") && !said.contains(['\u{1b}', '\n']),
        "{said:?}"
    );
    let said = pull(&manifest(EMPTY, json!("a/b".repeat(1000))));
    assert!(
        said.starts_with("it is not an image, but of type a/b") && said.len() < 500,
        "{} characters",
        said.len()
    );
}
