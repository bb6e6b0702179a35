//! A registry that speaks TLS, as all do that are not on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::images::build::layer::Layer;
use crate::images::build::{Image, digest};
use crate::need_namespaces;
use crate::support::{Running, Seen, host, own_network, skip, tiny_docker};

/// An authority, and a certificate from it for 127.0.0.1.
const CERTIFICATES: &str = "
    new='openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'
    $new -subj /CN=authority -keyout ca.key -out ca.pem
    $new -subj /CN=registry -keyout key.pem -out cert.pem -CA ca.pem -CAkey ca.key \
        -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";

/// Serves the directory that it is started in, and says at which port.
const SERVER: &str = "
import http.server, ssl
files = http.server.SimpleHTTPRequestHandler
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), files)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain('cert.pem', 'key.pem')
server.socket = tls.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()";

/// Files that a web server makes a registry of.
fn site(directory: &Path) {
    let built = Image::new().layer(&Layer::new().file("a", "b")).build();
    for place in ["v2/x/manifests", "v2/x/blobs"] {
        fs::create_dir_all(directory.join(place)).unwrap();
    }
    fs::write(directory.join("v2/x/manifests/1"), &built.manifest).unwrap();
    for blob in built.layers.iter().chain([&built.config]) {
        fs::write(directory.join("v2/x/blobs").join(digest(blob)), blob).unwrap();
    }
}

#[test]
fn only_a_certificate_from_somebody_we_know_will_do() {
    need_namespaces!();
    own_network();
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !has("openssl") || !has("python3") {
        return skip("openssl and python3");
    }
    let directory = TempDir::new().unwrap();
    let place = directory.path();
    host(&format!(
        "cd {}; {{ {CERTIFICATES}; }} 2>&1",
        place.display()
    ));
    site(place);
    let mut server = Command::new("python3");
    server.args(["-c", SERVER]).current_dir(place);
    let mut server = Running::start(server.stderr(Stdio::null()));
    let mut port = String::new();
    let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
    stdout.read_line(&mut port).unwrap();
    let name = format!("127.0.0.1:{}/x:1", port.trim());
    let pull = |file: &str| -> Seen {
        let mut pull = tiny_docker(&["pull", "-q", &name]);
        pull.env("SSL_CERT_FILE", place.join(file))
            .env_remove("SSL_CERT_DIR");
        pull.output().unwrap().into()
    };
    let unknown = pull("v2/x/manifests/1");
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("certificate"), "{}", unknown.stderr);
    let known = pull("ca.pem");
    assert_eq!((known.code, &known.stderr[..]), (Some(0), ""));
}
