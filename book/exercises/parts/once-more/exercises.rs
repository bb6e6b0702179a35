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

/// The answers of a registry that redirects from one address to the next one, and of one that has the manifest.
fn to(location: &str) -> String {
    answer(
        "307 Temporary Redirect",
        &format!("Location: {location}\r\n"),
        "",
    )
}

fn manifest() -> String {
    answer("200 OK", "", "{\"schemaVersion\": 2}")
}

/// Pulls from it, and returns the exit code and what it says on stderr.
fn pull(server: &Server) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.args(["pull", "-q", &format!("{}/hello:1", server.name)]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), stderr)
}

/// That a pull ends with "in a circle", at `path`, after so many requests for manifests.
fn expect_circle(server: &Server, path: &str, requests: usize) {
    let (code, said) = pull(server);
    let expected = format!(
        "the registry redirects us in a circle: http://{}{path}",
        server.name
    );
    assert!(
        code == Some(1) && said.trim_end().ends_with(&expected),
        "pull should say\n    {expected}\nbut says\n    {said}"
    );
    let asked = server.asked.lock().unwrap();
    let asked: Vec<_> = asked.iter().filter(|path| *path != "/v2/").collect();
    assert_eq!(asked.len(), requests, "{asked:?}");
}

#[test]
#[ignore = "exercise 1: round and round"]
fn ex1_a_circle_is_noticed_at_once() {
    expect_circle(&serve(|_, _| to("1")), "/v2/hello/manifests/1", 1);
    let server = serve(|path, _| match path {
        "/v2/hello/manifests/1" => to("/one"),
        "/one" => to("/two"),
        _ => to("one"),
    });
    // The circle begins after the first redirect.
    expect_circle(&server, "/one", 3);
}

#[test]
#[ignore = "exercise 1: round and round"]
fn ex1_another_query_is_another_address() {
    let server = serve(|path, _| match path {
        "/v2/hello/manifests/1" => to("?signature=a"),
        "/v2/hello/manifests/1?signature=a" => to("?signature=b"),
        _ => manifest(),
    });
    let (code, said) = pull(&server);
    assert_eq!(code, Some(0), "this is no circle: {said}");
}

#[test]
#[ignore = "exercise 1: round and round"]
fn ex1_a_long_way_is_no_circle() {
    // Nine addresses, and all of them are different.
    let server = serve(|path, _| to(&format!("{path}x")));
    let (code, said) = pull(&server);
    assert!(
        code == Some(1) && said.contains("more than 8 times"),
        "{said}"
    );
}

#[test]
#[ignore = "exercise 1: round and round"]
fn ex1_the_second_attempt_may_go_the_same_way() {
    let times = Mutex::new(0);
    let server = serve(move |path, _| match path {
        "/v2/hello/manifests/1" => to("/one"),
        "/one" => {
            *times.lock().unwrap() += 1;
            match *times.lock().unwrap() {
                1 => answer("503 Service Unavailable", "", ""),
                _ => manifest(),
            }
        }
        _ => manifest(),
    });
    let (code, said) = pull(&server);
    assert_eq!(code, Some(0), "the registry was only busy: {said}");
}
