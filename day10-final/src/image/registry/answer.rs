//! What a registry answers: a manifest or an index, or why it does not send one.

use std::io::Read;

use anyhow::{Context, Result, anyhow, ensure};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use ureq::Body;
use ureq::http::Response;

use crate::failure::quoted;
use crate::image::digest::Digest;
use crate::image::manifest::MOST;
use crate::image::registry::http::{header, small};
use crate::image::registry::retry::{Passing, advice};

/// No error document is longer.
const LONGEST: u64 = 1 << 16;

pub struct Answer {
    pub bytes: Vec<u8>,
    pub media_type: Option<String>,
    /// Of these bytes.
    pub digest: Digest,
}

impl Answer {
    /// Reads the answer to the question for `reference`: if that is a digest, it has to be right. So does the one that
    /// the registry says.
    pub fn read(answer: Response<Body>, reference: &str) -> Result<Self> {
        let text = |name| header(&answer, name).map(str::to_owned);
        let (said, media_type) = (text("Docker-Content-Digest"), text("Content-Type"));
        let is_page = media_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with("text/html"));
        ensure!(!is_page, "the registry answers with a web page");
        let is_packed = text("Content-Encoding").as_deref() == Some("gzip");
        let mut bytes = small(answer, MOST)?;
        if is_packed {
            bytes = unpacked(&bytes)?;
        }
        let digest = Digest::of(&bytes);
        let expected = said.as_deref().into_iter().chain([reference]);
        for expected in expected.filter(|text| text.starts_with("sha256:")) {
            ensure!(
                expected == digest.to_string(),
                "the manifest's digest is {digest}, and not {}",
                quoted(expected)
            );
        }
        Ok(Self {
            bytes,
            media_type,
            digest,
        })
    }
}

/// What some servers do to all text, although we have not asked for it.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
    let (mut bytes, reader) = (Vec::new(), MultiGzDecoder::new(packed));
    let count = reader.take(MOST + 1).read_to_end(&mut bytes);
    let count = count.context("cannot unpack the answer")? as u64;
    ensure!(count <= MOST, "the answer is larger than {MOST} bytes");
    Ok(bytes)
}

/// An error document, as the distribution specification has it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    errors: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    code: String,
    message: String,
}

/// What an answer is about.
pub struct About<'a> {
    /// As the user types it: "docker.io".
    pub registry: &'a str,
    pub repository: &'a str,
    /// For example "tag 1.0".
    pub what: &'a str,
}

impl About<'_> {
    /// The answer, if it is what was asked for. Otherwise, what it says.
    pub fn check(&self, answer: Response<Body>) -> Result<Response<Body>> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let (registry, repository, what) = (self.registry, self.repository, self.what);
        let after = advice(&answer);
        let text = small(answer, LONGEST).unwrap_or_default();
        let document: Document = serde_json::from_slice(&text).unwrap_or_default();
        let item = document.errors.into_iter().next().unwrap_or_default();
        let said = match (&item.message[..], &item.code[..]) {
            ("", "") => String::new(),
            ("", words) | (words, _) => format!(": {}", quoted(words)),
        };
        Err(match status.as_u16() {
            401 | 403 => anyhow!(
                "{registry} denies access to {repository}{said}\nhint: {}",
                self.login()
            ),
            404 if item.code == "NAME_UNKNOWN" => {
                anyhow!("{registry} has no repository {repository}")
            }
            404 => anyhow!("{registry} has no {what} in {repository}"),
            429 | 502 | 503 | 504 => {
                let reason = format!("{registry} answers {status}{said}");
                Passing { after, reason }.into()
            }
            _ => anyhow!("{registry} answers {status}{said}"),
        })
    }

    fn login(&self) -> String {
        let server = match self.registry {
            crate::image::name::HUB => String::new(),
            host => format!(" {host}"),
        };
        format!("if the repository exists, log in: tiny-docker login{server}")
    }
}
