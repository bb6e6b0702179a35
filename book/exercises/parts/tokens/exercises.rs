//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

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

/// Pulls from a registry that gives a token to everybody, and refuses it with these headers and this body. Returns what
/// it says on stderr after the name.
fn refused(headers: &'static str, body: &'static str) -> String {
    let server = serve(move |path, head| {
        let host = head
            .lines()
            .find_map(|line| line.strip_prefix("host: ").or(line.strip_prefix("Host: ")));
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{}/token\",error=\"first\"\r\n",
            host.unwrap_or_default()
        );
        match path {
            "/v2/" => answer("200 OK", "", "{}"),
            path if path.starts_with("/token") => answer("200 OK", "", "{\"token\": \"abc\"}"),
            _ if head.contains("Bearer abc") => answer("401 Unauthorized", headers, body),
            _ => answer("401 Unauthorized", &challenge, ""),
        }
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.args(["pull", "-q", &format!("{}/hello:1", server.name)]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let asked = server.asked.lock().unwrap();
    assert!(
        asked.iter().any(|path| path.starts_with("/token")),
        "nobody asks for a token: {asked:?}"
    );
    let line = said.lines().next().unwrap_or_default();
    let (_, said) = line.split_once("denies access to hello").unwrap();
    said.to_owned()
}

#[test]
#[ignore = "exercise 1: why not?"]
fn ex1_a_refusal_says_why() {
    assert_eq!(
        refused(
            "WWW-Authenticate: Bearer realm=\"x\",error=\"insufficient_scope\",\
             error_description=\"the token is for another registry\"\r\n",
            ""
        ),
        ": insufficient_scope: the token is for another registry"
    );
    assert_eq!(
        refused(
            "WWW-Authenticate: Bearer error=\"invalid_token\", realm=\"x\"\r\n",
            ""
        ),
        ": invalid_token"
    );
    assert_eq!(refused("WWW-Authenticate: Bearer realm=\"x\"\r\n", ""), "");
    assert_eq!(refused("", ""), "");
}

#[test]
#[ignore = "exercise 1: why not?"]
fn ex1_only_what_is_said_about_tokens_counts() {
    assert_eq!(
        refused(
            "WWW-Authenticate: Negotiate YII/+A==, Basic realm=\"x\",error=\"no\"\r\n\
             WWW-Authenticate: Digest error=\"nor this\", Bearer error=\"invalid_token\"\r\n",
            ""
        ),
        ": invalid_token"
    );
    assert_eq!(
        refused("WWW-Authenticate: Basic realm=\"x\",error=\"no\"\r\n", ""),
        ""
    );
}

#[test]
#[ignore = "exercise 1: why not?"]
fn ex1_the_words_of_the_registry_come_first() {
    assert_eq!(
        refused(
            "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
            "{\"errors\": [{\"code\": \"DENIED\", \"message\": \"not today\"}]}"
        ),
        ": not today: invalid_token"
    );
}

#[test]
#[ignore = "exercise 1: why not?"]
fn ex1_it_is_somebody_elses_text() {
    let long = format!(
        "WWW-Authenticate: Bearer error=\"invalid_token\",error_description=\"{}\"\r\n",
        "no ".repeat(5000)
    );
    let said = refused(long.leak(), "");
    assert!(said.starts_with(": invalid_token: no no"), "{said}");
    assert!(said.len() < 1000, "{} characters", said.len());
}
