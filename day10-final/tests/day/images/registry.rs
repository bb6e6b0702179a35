//! A registry on loopback, with what a test puts in, and with the faults that it asks for.

pub mod guards;
mod wire;

use std::collections::HashMap;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use crate::images::build::{Built, Image, digest};
use crate::support::own_network;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// For example /v2/x/manifests/latest
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What is answered, before a fault changes it.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.as_ref().to_vec(),
        }
    }

    /// An error, as the specification has it.
    pub fn error(status: u16, code: &str) -> Self {
        let message = code.to_lowercase().replace('_', " ");
        let errors = serde_json::json!({"errors": [{"code": code, "message": message}]});
        Self::new(status, errors.to_string()).with("Content-Type", "application/json")
    }

    /// Adds a header, or replaces it.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }
}

/// What goes wrong.
#[derive(Clone)]
pub enum Fault {
    /// Another answer, for example `Reply::error(429, "TOOMANYREQUESTS").with("Retry-After", "1")`.
    Answer(Reply),
    /// A header is another one.
    Header(&'static str, String),
    /// A header is missing.
    NoHeader(&'static str),
    /// The connection ends, without an answer.
    HangUp,
    /// After half of the body, the connection ends.
    Cut,
    /// After half of the body, nothing comes any more, for as long as the registry lives.
    Stall,
    /// One bit of the body is another.
    Flip,
    /// The body, a block each so many milliseconds.
    Slow(u64),
    /// The body without its length, in chunks.
    Chunked,
    /// The body again and again, in chunks, for 256 MiB.
    Endless,
    /// All of the blob, although only a part is wanted.
    NoRange,
}

/// A fault for requests whose path contains `path`, so many `times`.
struct Rule {
    path: String,
    times: usize,
    fault: Fault,
}

/// Decides about a request before anything else, for example whether it may pass: None lets it.
type Guard = Box<dyn FnMut(&Request) -> Option<Reply> + Send>;

#[derive(Default)]
struct Contents {
    blobs: HashMap<String, Vec<u8>>,
    /// By the path after /v2/, with the media type.
    manifests: HashMap<String, (String, Vec<u8>)>,
    rules: Vec<Rule>,
    guard: Option<Guard>,
    log: Vec<Request>,
}

/// Serves until the tests end.
#[derive(Clone)]
pub struct Registry {
    pub address: SocketAddr,
    contents: Arc<Mutex<Contents>>,
}

impl Registry {
    /// On this test's host.
    pub fn start() -> Self {
        own_network();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self {
            address: listener.local_addr().unwrap(),
            contents: Arc::default(),
        };
        let shared = registry.clone();
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let shared = shared.clone();
                // A caller that hangs up is no news.
                thread::spawn(move || shared.serve(&caller));
            }
        });
        registry
    }

    /// How a user calls what is pushed as `name`: "127.0.0.1:12345/NAME".
    pub fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }

    /// Offers an image as `name`, for example "x/y:tag".
    pub fn push(&self, name: &str, image: &Image) -> Built {
        let built = image.build();
        for blob in built.layers.iter().chain([&built.config]) {
            self.put_blob(blob);
        }
        self.put_manifest(name, &built.media_type, &built.manifest);
        built
    }

    pub fn put_blob(&self, blob: &[u8]) -> String {
        let digest = digest(blob);
        self.contents().blobs.insert(digest.clone(), blob.to_vec());
        digest
    }

    /// Offers any bytes as `name`, and by their digest.
    pub fn put_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) -> String {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let digest = digest(bytes);
        for reference in [tag, &digest] {
            let place = format!("{repository}/manifests/{reference}");
            let manifest = (media_type.to_owned(), bytes.to_vec());
            self.contents().manifests.insert(place, manifest);
        }
        digest
    }

    /// From now on, `times` requests whose path contains `path` meet `fault`. The first rule that fits counts.
    pub fn fault(&self, path: &str, times: usize, fault: Fault) {
        let path = path.to_owned();
        let rule = Rule { path, times, fault };
        self.contents().rules.push(rule);
    }

    /// Decides about each request before anything else: an answer, or None, which lets it pass.
    pub fn guard(&self, guard: impl FnMut(&Request) -> Option<Reply> + Send + 'static) {
        self.contents().guard = Some(Box::new(guard));
    }

    /// What was asked since the last call, without what only finds out whether there is a registry.
    pub fn log(&self) -> Vec<Request> {
        let mut log = std::mem::take(&mut self.contents().log);
        log.retain(|request| request.path != "/v2/");
        log
    }

    /// The same as a line each: "GET /v2/x/manifests/latest".
    pub fn lines(&self) -> String {
        let log = self.log();
        let lines = log
            .iter()
            .map(|request| format!("{} {}\n", request.method, request.path));
        lines.collect()
    }

    fn serve(&self, caller: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(caller);
        loop {
            let request = wire::read(&mut reader)?;
            let (reply, fault) = self.answer(&request);
            wire::send(caller, &request, reply, fault)?;
        }
    }

    fn answer(&self, request: &Request) -> (Reply, Option<Fault>) {
        let mut contents = self.contents();
        contents.log.push(request.clone());
        if let Some(reply) = contents.guard.as_mut().and_then(|guard| guard(request)) {
            return (reply, None);
        }
        let fits = |rule: &&mut Rule| rule.times > 0 && request.path.contains(&rule.path);
        let fault = contents.rules.iter_mut().find(fits).map(|rule| {
            rule.times -= 1;
            rule.fault.clone()
        });
        let ranges = !matches!(fault, Some(Fault::NoRange));
        (contents.reply(request, ranges), fault)
    }
}

impl Contents {
    fn reply(&self, request: &Request, ranges: bool) -> Reply {
        let path = request.path.strip_prefix("/v2/");
        let path = path.unwrap_or("nowhere");
        if path.is_empty() {
            return Reply::new(200, "{}");
        }
        if let Some((media_type, bytes)) = self.manifests.get(path) {
            let reply = Reply::new(200, bytes).with("Content-Type", media_type);
            // As a real registry does: whoever does not say what they can read gets nothing.
            return match request.header("accept").contains(&**media_type) {
                true => reply.with("Docker-Content-Digest", &digest(bytes)),
                false => Reply::error(404, "MANIFEST_UNKNOWN"),
            };
        }
        let blob = path.rsplit_once("/blobs/");
        let Some(blob) = blob.and_then(|(_, digest)| self.blobs.get(digest)) else {
            return Reply::error(
                404,
                if path.contains("/blobs/") {
                    "BLOB_UNKNOWN"
                } else {
                    "MANIFEST_UNKNOWN"
                },
            );
        };
        let range = request.header("range").strip_prefix("bytes=");
        let start = range.and_then(|range| range.strip_suffix('-')?.parse().ok());
        match start.filter(|_| ranges) {
            Some(start) if start < blob.len() => {
                let range = format!("bytes {start}-{}/{}", blob.len() - 1, blob.len());
                Reply::new(206, &blob[start..]).with("Content-Range", &range)
            }
            Some(_) => Reply::error(416, "RANGE_INVALID"),
            None => Reply::new(200, blob),
        }
    }
}
