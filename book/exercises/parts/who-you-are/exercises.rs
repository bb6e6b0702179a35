//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

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

/// A private registry, and what somebody has in their files.
struct Place {
    directory: TempDir,
    server: Server,
    /// Where REGISTRY_AUTH_FILE and XDG_RUNTIME_DIR lead, if they are set.
    variables: Vec<(&'static str, PathBuf)>,
}

impl Place {
    fn new() -> Self {
        let right = format!("Basic {}", STANDARD.encode("reader:wonder"));
        let server = serve(move |_, head| match head.contains(&right) {
            true => answer("200 OK", "", "{\"schemaVersion\": 2}"),
            false => answer(
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"x\"\r\n",
                "",
            ),
        });
        let directory = TempDir::new().unwrap();
        let variables = Vec::new();
        Self {
            directory,
            server,
            variables,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Adds a login to a file, for the registry with `rest` after it.
    fn login(&self, file: &Path, rest: &str, pair: &str) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = fs::read(file).unwrap_or_else(|_| b"{}".to_vec());
        let mut config: Value = serde_json::from_slice(&text).unwrap();
        let key = format!("{}{rest}", self.server.name);
        config["auths"][key] = json!({"auth": STANDARD.encode(pair)});
        fs::write(file, config.to_string()).unwrap();
    }

    /// A login of podman's, in a file that REGISTRY_AUTH_FILE names.
    fn podman(&mut self, rest: &str, pair: &str) {
        let file = self.path("auth.json");
        self.login(&file, rest, pair);
        self.variables = vec![("REGISTRY_AUTH_FILE", file)];
    }

    /// Pulls a repository. Returns "" if it works, or what stderr says.
    fn pull(&self, repository: &str) -> String {
        let mut pull = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        let name = format!("{}/{repository}", self.server.name);
        pull.args(["pull", "-q", &name])
            .env("DOCKER_CONFIG", self.path("docker"))
            .env_remove("REGISTRY_AUTH_FILE")
            .env_remove("XDG_RUNTIME_DIR")
            .envs(self.variables.clone());
        let output = pull.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
        let asked = self.server.asked.lock().unwrap().len();
        assert!(asked > 0, "nobody asks the registry");
        said
    }
}

#[test]
#[ignore = "exercise 1: podman's logins"]
fn ex1_podmans_file_counts_where_dockers_has_nothing() {
    let mut place = Place::new();
    assert!(place.pull("hello").contains("denies access"));
    place.podman("", "reader:wonder");
    assert_eq!(place.pull("hello"), "", "podman has logged in");
    place.login(&place.path("docker/config.json"), "", "reader:wander");
    let said = place.pull("hello");
    assert!(
        said.contains("denies access"),
        "Docker's comes first: {said}"
    );
    let nowhere = place.path("nowhere.json");
    place.login(&place.path("docker/config.json"), "", "reader:wonder");
    place.variables = vec![("REGISTRY_AUTH_FILE", nowhere)];
    assert_eq!(place.pull("hello"), "", "podman's file may be missing");
}

#[test]
#[ignore = "exercise 1: podman's logins"]
fn ex1_a_key_is_for_the_repositories_below_it() {
    let mut place = Place::new();
    place.podman("/team", "reader:wonder");
    for repository in ["team/program", "team/a/b", "team"] {
        assert_eq!(place.pull(repository), "", "/team is for {repository}");
    }
    for repository in ["teams/program", "tea", "hello", "x/team"] {
        let said = place.pull(repository);
        let denied = said.contains("denies access");
        assert!(denied, "/team is not for {repository}: '{said}'");
    }
}

#[test]
#[ignore = "exercise 1: podman's logins"]
fn ex1_the_longest_key_wins() {
    let mut place = Place::new();
    place.podman("", "reader:wander");
    place.podman("/team", "reader:wonder");
    place.podman("/team/other", "reader:wander");
    place.podman("/t", "reader:wander");
    place.podman("/team/program/more", "reader:wander");
    assert_eq!(place.pull("team/program"), "");
    assert_ne!(place.pull("hello"), "");
    assert_ne!(place.pull("team/other"), "");
}

#[test]
#[ignore = "exercise 1: podman's logins"]
fn ex1_the_runtime_directory_has_one_as_well() {
    let mut place = Place::new();
    let file = place.path("run/containers/auth.json");
    place.login(&file, "", "reader:wonder");
    place.variables = vec![("XDG_RUNTIME_DIR", place.path("run"))];
    assert_eq!(place.pull("hello"), "");
    // The other one comes first, even if it has nothing.
    fs::write(place.path("empty.json"), "{}").unwrap();
    let other = ("REGISTRY_AUTH_FILE", place.path("empty.json"));
    place.variables.push(other);
    assert!(place.pull("hello").contains("denies access"));
    place.variables.pop();
    fs::write(&file, "{").unwrap();
    let said = place.pull("hello");
    assert!(
        said.contains(file.to_str().unwrap()),
        "a damaged file is an error that names it: {said}"
    );
}
