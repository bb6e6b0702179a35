//! Requests over HTTP, each with its limits. Libraries do the rest: ureq HTTP, and rustls TLS.

use std::io::Read;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::image::registry::trouble;

/// Of a registry that has stopped answering.
pub const SILENCE: Duration = Duration::from_secs(30);

/// How long it may take to find a host, to connect with it, and to get the head of an answer.
const FINDING: Duration = Duration::from_secs(10);
const CONNECTING: Duration = Duration::from_secs(20);
const HEAD: Duration = Duration::from_secs(60);

/// How long a small body may take, however steadily it trickles.
const SMALL: Duration = Duration::from_secs(120);

/// A header's name and its value.
pub type Header<'a> = (&'a str, &'a str);

/// Keeps connections open between requests.
pub struct Client {
    usual: Agent,
    /// For loopback: HTTP_PROXY and the like are about the way to other hosts.
    direct: Agent,
}

impl Client {
    /// One that gives up after so much `silence`.
    pub fn new(silence: Duration) -> Self {
        // The host's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR.
        let certificates = RootCerts::PlatformVerifier;
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .timeout_resolve(Some(FINDING))
                .timeout_connect(Some(CONNECTING))
                .timeout_recv_response(Some(HEAD))
                .timeout_per_read(Some(silence))
                .timeout_per_write(Some(silence))
                .tls_config(
                    TlsConfig::builder()
                        .root_certs(certificates.clone())
                        .build(),
                )
                .user_agent(concat!("tiny-docker/", env!("CARGO_PKG_VERSION")))
                // A blob's digest is that of its bytes as they are.
                .accept_encoding("identity")
        };
        Self {
            usual: config().build().new_agent(),
            direct: config().proxy(None).build().new_agent(),
        }
    }

    /// Asks once. Any status is an answer.
    pub fn get(&self, uri: &Uri, headers: &[Header]) -> Result<Response<Body>> {
        let mut request = self.agent(uri).get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.call();
        answer.map_err(|error| trouble::of_connection(error, uri))
    }

    /// Sends a form.
    pub fn post(&self, uri: &Uri, form: &str) -> Result<Response<Body>> {
        let request = self.agent(uri).post(uri);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = request.send(form);
        answer.map_err(|error| trouble::of_connection(error, uri))
    }

    fn agent(&self, uri: &Uri) -> &Agent {
        match uri.host().is_some_and(is_loopback) {
            true => &self.direct,
            false => &self.usual,
        }
    }
}

/// Whether nobody else can listen to what is sent to `host`.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The value of a header, if it is text.
pub fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// Everything that an answer contains, unless that is more than `most` bytes.
pub fn small(answer: Response<Body>, most: u64) -> Result<Vec<u8>> {
    let mut body = answer.into_body().into_reader().take(most + 1);
    let (start, mut bytes, mut block) = (Instant::now(), Vec::new(), [0; 1 << 14]);
    loop {
        let count = body.read(&mut block).map_err(trouble::of_reading)?;
        bytes.extend(&block[..count]);
        if count == 0 {
            break;
        }
        ensure!(start.elapsed() < SMALL, "the answer takes too long");
    }
    ensure!(
        bytes.len() as u64 <= most,
        "the answer is larger than {most} bytes"
    );
    Ok(bytes)
}

/// Reads what nobody needs of an answer, within limits. Then its connection can be used again.
pub fn finish(answer: Response<Body>) {
    const MOST: u64 = 1 << 16;
    let _ = small(answer, MOST);
}

/// An address in a form that can be asked.
pub fn address(text: &str) -> Result<Uri> {
    text.parse()
        .with_context(|| format!("cannot ask {}", crate::failure::quoted(text)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::image::registry::trouble::Reader;

    /// A server that says `text`, and then nothing more, and how a client finds it.
    fn silent(text: &'static str) -> Uri {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut caller, _) = listener.accept().unwrap();
            caller.write_all(text.as_bytes()).unwrap();
            thread::sleep(Duration::from_secs(60));
        });
        address(&format!("http://{server}/")).unwrap()
    }

    fn client() -> Client {
        Client::new(Duration::from_millis(100))
    }

    #[test]
    fn silence_before_an_answer_has_an_end() {
        let uri = silent("HTTP/1.1 200");
        let error = client().get(&uri, &[]).unwrap_err().to_string();
        assert!(error.ends_with(" does not answer"), "{error}");
    }

    #[test]
    fn silence_in_the_middle_of_an_answer_has_an_end() {
        let uri = silent("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        let answer = client().get(&uri, &[]).unwrap();
        let mut text = String::new();
        let mut body = Reader(answer.into_body().into_reader());
        let error = body.read_to_string(&mut text).unwrap_err();
        assert_eq!(error.to_string(), "the registry has fallen silent");
        let answer = client().get(&silent("HTTP/1.1 200 OK\r\n\r\nhalf"), &[]);
        assert!(small(answer.unwrap(), 100).is_err());
    }
}
