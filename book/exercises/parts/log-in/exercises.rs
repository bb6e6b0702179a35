//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::mem::take;
use std::net::TcpListener;
use std::process::{Command, Stdio};
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

/// A registry whose answers are what `answer` makes of a path and a request.
fn serve(answer: impl Fn(&str, &str) -> String + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    thread::spawn(move || {
        for caller in listener.incoming() {
            let mut caller = caller.unwrap();
            let mut reader = BufReader::new(caller.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    break;
                }
            }
            let lower = head.to_ascii_lowercase().replace('\r', "");
            let length = lower
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut form = String::new();
            let mut form_reader = reader.take(length.unwrap_or(0));
            let _ = form_reader.read_to_string(&mut form);
            let head = head.replace('\r', "") + &form;
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

/// A registry that lets in whoever has the password, or a token that the identity token is good for.
fn private() -> Server {
    let right = format!("Basic {}", STANDARD.encode("reader:wonder"));
    serve(move |path, head| {
        let host = head
            .lines()
            .find_map(|line| line.strip_prefix("host: ").or(line.strip_prefix("Host: ")));
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{}/token\"\r\n",
            host.unwrap_or_default()
        );
        match path.starts_with("/token") {
            true if head.contains(&right) || head.ends_with("refresh_token=ours") => {
                answer("200 OK", "", "{\"access_token\": \"abc\"}")
            }
            true => answer("401 Unauthorized", "", ""),
            false if head.contains("Bearer abc") => answer("200 OK", "", "{}"),
            false => answer("401 Unauthorized", &challenge, ""),
        }
    })
}

/// What a user sees.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A configuration of Docker's, with this entry for `registry`.
fn configuration(registry: &str, entry: Value) -> TempDir {
    let directory = TempDir::new().unwrap();
    let config = json!({"auths": {registry: entry}});
    fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
    directory
}

fn password(pair: &str) -> Value {
    json!({"auth": STANDARD.encode(pair)})
}

/// Runs `login OPTIONS… registry`, with `input` on stdin.
fn login(configuration: &TempDir, options: &[&str], registry: &str, input: &str) -> Seen {
    let mut login = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    login.arg("login").args(options).arg(registry);
    login.env("DOCKER_CONFIG", configuration.path());
    login.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = login.stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Seen {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
#[ignore = "exercise 1: logged in already"]
fn ex1_an_existing_login_is_tried_first() {
    let server = private();
    for (entry, note) in [
        (
            password("reader:wonder"),
            "tiny-docker: trying the existing login of reader\n",
        ),
        (
            json!({"identitytoken": "ours"}),
            "tiny-docker: trying the existing login\n",
        ),
    ] {
        let configuration = configuration(&server.name, entry);
        let file = configuration.path().join("config.json");
        let before = fs::read(&file).unwrap();
        let seen = login(&configuration, &[], &server.name, "");
        assert_eq!(
            (seen.code, &*seen.stdout, &*seen.stderr),
            (Some(0), "Login Succeeded\n", note)
        );
        assert_eq!(fs::read(&file).unwrap(), before, "the file stays as it is");
        let asked = take(&mut *server.asked.lock().unwrap());
        assert!(!asked.is_empty(), "only the registry knows");
    }
}

#[test]
#[ignore = "exercise 1: logged in already"]
fn ex1_after_a_refusal_it_asks() {
    let server = private();
    for entry in [
        password("reader:wander"),
        json!({"identitytoken": "theirs"}),
    ] {
        let configuration = configuration(&server.name, entry);
        let seen = login(&configuration, &[], &server.name, "");
        assert!(
            seen.stderr.starts_with("tiny-docker: trying the existing"),
            "{}",
            seen.stderr
        );
        assert!(
            seen.code == Some(1) && seen.stderr.contains("cannot ask for a user name"),
            "it should ask, and cannot: {}",
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise 1: logged in already"]
fn ex1_a_registry_that_does_not_answer_is_an_error() {
    let registry = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let configuration = configuration(&registry, password("reader:wonder"));
    let seen = login(&configuration, &[], &registry, "");
    assert!(
        seen.code == Some(1) && seen.stderr.contains("cannot reach"),
        "a password would not help: {}",
        seen.stderr
    );
    assert!(!seen.stderr.contains("cannot ask"), "{}", seen.stderr);
}

#[test]
#[ignore = "exercise 1: logged in already"]
fn ex1_without_a_login_or_with_options_nothing_changes() {
    let server = private();
    let other = configuration("other.example.com", password("reader:wonder"));
    let seen = login(&other, &[], &server.name, "");
    assert!(
        seen.code == Some(1) && !seen.stderr.contains("trying"),
        "{}",
        seen.stderr
    );
    let wrong = configuration(&server.name, password("reader:wander"));
    let options = ["--username", "reader", "--password-stdin"];
    let seen = login(&wrong, &options, &server.name, "wonder\n");
    assert!(
        seen.code == Some(0) && !seen.stderr.contains("trying"),
        "{}",
        seen.stderr
    );
    // So that nothing passes that never tries.
    let seen = login(&wrong, &[], &server.name, "");
    assert!(seen.stderr.contains("trying"), "{}", seen.stderr);
}
