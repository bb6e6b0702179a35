//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
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

/// Pulls from a registry whose manifests come with these headers, and returns what it says on stderr, without the
/// beginning of each line that is the same for all warnings.
fn pull(headers: &'static str) -> (Output, Vec<String>) {
    let server = serve(move |path, _| match path {
        "/v2/" => answer("200 OK", "", "{}"),
        _ => answer("200 OK", headers, "{\"schemaVersion\": 2}"),
    });
    let name = format!("{}/hello:1", server.name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    let output = command.args(["pull", "-q", &name]).output().unwrap();
    assert!(!server.asked.lock().unwrap().is_empty(), "nobody asks");
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(0), format!("{name}\n").as_bytes()),
        "a warning changes neither stdout nor the exit code: {output:?}"
    );
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let start = format!("tiny-docker: {} warns: ", server.name);
    let warnings = stderr.lines().map(|line| {
        let text = line.strip_prefix(&start);
        text.unwrap_or_else(|| panic!("'{line}' should begin with '{start}'"))
            .to_owned()
    });
    let warnings = warnings.collect();
    (output, warnings)
}

#[test]
#[ignore = "exercise 1: what the registry wants to tell you"]
fn ex1_all_warnings_are_shown_once() {
    let headers = "Warning: 299 - \"This image is deprecated and will be removed soon.\"\r\n\
        Content-Type: application/json\r\n\
        warning: 299 - \"Your token will expire in 30 seconds.\"\r\n\
        Warning: 299 - \"This image is deprecated and will be removed soon.\"\r\n";
    assert_eq!(
        pull(headers).1,
        [
            "This image is deprecated and will be removed soon.",
            "Your token will expire in 30 seconds."
        ]
    );
}

#[test]
#[ignore = "exercise 1: what the registry wants to tell you"]
fn ex1_what_has_another_form_is_no_warning() {
    let headers = "Warning: 299 - \"one\"\r\n\
        Warning: 199 - \"another number\"\r\n\
        Warning: 299 registry.example.com \"with an agent\"\r\n\
        Warning: 299 - no quotes\r\n\
        Warning: 299 - \"never closed\r\n\
        Warning: 299 - \"its last quote is none\\\"\r\n\
        Warning: 299 - \"two\" \"Sun, 06 Nov 1994 08:49:37 GMT\"\r\n";
    assert_eq!(pull(headers).1, ["one", "two"]);
    assert!(pull("").1.is_empty());
}

#[test]
#[ignore = "exercise 1: what the registry wants to tell you"]
fn ex1_a_backslash_takes_the_meaning_from_the_next_character() {
    let headers = "Warning: 299 - \"50\\% less, \\\"x\\\", and no more\"\r\n";
    let warnings = pull(headers).1;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning = &warnings[0];
    assert!(
        warning.starts_with("50% less, ") && warning.ends_with(", and no more"),
        "{warning}"
    );
}

#[test]
#[ignore = "exercise 1: what the registry wants to tell you"]
fn ex1_a_long_warning_is_cut_off() {
    let text = "all work and no play ".repeat(200);
    let headers = format!("Warning: 299 - \"{text}\"\r\n").leak();
    let warnings = pull(headers).1;
    assert!(warnings[0].starts_with("all work and no play all work"));
    let length = warnings[0].len();
    assert!(length < 500, "a line of {length} characters is not a note");
}
