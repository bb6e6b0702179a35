//! A registry: the distribution specification, with HTTP by ureq.
//!
//! In this room, [`http`] asks once, [`retry`] again, [`origin`] and [`redirect`] say where, and [`trouble`] says what
//! went wrong. [`authentication`] answers a [`challenge`] with what [`credentials`] finds or [`login`] has stored.

mod answer;
pub mod authentication;
mod challenge;
pub mod credentials;
pub mod http;
mod login;
mod origin;
mod redirect;
mod retry;
mod trouble;

use std::io::Read;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, bail};
use ureq::Body;
use ureq::http::{Response, StatusCode, Uri};

pub use crate::image::registry::login::{login, logout};

use crate::image::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, INDEX, MANIFEST};
use crate::image::name::Name;
use crate::image::registry::answer::{About, Answer};
use crate::image::registry::credentials::Credentials;
use crate::image::registry::http::{Client, Header, SILENCE, address, finish, header};
use crate::image::registry::trouble::Reader;

/// One repository of one registry.
pub struct Registry {
    client: Client,
    /// As the user types it: "docker.io".
    registry: String,
    /// Where that is: "https://registry-1.docker.io".
    origin: Uri,
    repository: String,
    /// What the registry has last accepted.
    authorization: Mutex<Option<String>>,
    credentials: OnceLock<Option<Credentials>>,
}

impl Registry {
    /// Plain HTTP for loopback only. Credentials come from ~/.docker/config.json.
    pub fn of(name: &Name) -> Result<Self> {
        let client = Client::new(SILENCE);
        Ok(Self {
            registry: name.registry.clone(),
            origin: address(&origin::of(&name.registry, &client)?)?,
            client,
            repository: name.repository.clone(),
            authorization: Mutex::default(),
            credentials: OnceLock::new(),
        })
    }

    /// What `reference` (a tag or a digest) leads to: at most MOST bytes; a digest is checked.
    pub fn manifest(&self, reference: &str) -> Result<Answer> {
        let types = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX].join(", ");
        let path = format!("manifests/{reference}");
        let what = match reference.contains(':') {
            true => format!("manifest {reference}"),
            false => format!("tag {reference}"),
        };
        retry::patiently(|| {
            let answer = self.get(&path, &[("Accept", &types)], &what)?;
            Answer::read(answer, reference)
        })
    }

    /// The bytes of a blob from `start` on. The second value is where they really start: 0 if the registry does not know
    /// ranges. It may break off: the caller calls again. Silence for [`http::SILENCE`] is an error.
    /// Retries (429 and 5xx, with Retry-After) happen inside.
    pub fn blob(&self, descriptor: &Descriptor, start: u64) -> Result<(Box<dyn Read + Send>, u64)> {
        let (path, range) = (
            format!("blobs/{}", descriptor.digest),
            format!("bytes={start}-"),
        );
        let headers: &[Header] = match start {
            0 => &[],
            _ => &[("Range", &range)],
        };
        let what = format!("blob {}", descriptor.digest);
        let answer = retry::patiently(|| self.get(&path, headers, &what))?;
        let start = match answer.status() {
            StatusCode::PARTIAL_CONTENT => first_byte(&answer, start)?,
            _ => 0,
        };
        Ok((Box::new(Reader(answer.into_body().into_reader())), start))
    }

    /// Asks for something of this repository, and follows where that leads. `what` is for errors.
    fn get(&self, path: &str, headers: &[Header], what: &str) -> Result<Response<Body>> {
        let mut uri = address(&format!("{}v2/{}/{path}", self.origin, self.repository))?;
        for _ in 0..=redirect::MOST {
            // Another server learns nothing about the user, even if it asks.
            let answer = match origin::is_same(&uri, &self.origin) {
                true => self.ask(&uri, headers)?,
                false => self.client.get(&uri, headers)?,
            };
            let Some(next) = redirect::target(&uri, &answer)? else {
                let about = About {
                    registry: &self.registry,
                    repository: &self.repository,
                    what,
                };
                return about.check(answer);
            };
            finish(answer);
            uri = next;
        }
        bail!(
            "the registry redirects us more than {} times",
            redirect::MOST
        )
    }

    /// Asks the registry itself. If it wants to know who we are, or our token has expired, asks once more.
    fn ask(&self, uri: &Uri, headers: &[Header]) -> Result<Response<Body>> {
        let lock = || {
            self.authorization
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let send = |authorization: Option<&str>| {
            let own = authorization.map(|value| ("Authorization", value));
            let headers: Vec<_> = headers.iter().copied().chain(own).collect();
            self.client.get(uri, &headers)
        };
        let known = lock().clone();
        let answer = send(known.as_deref())?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let scope = format!("repository:{}:pull", self.repository);
        let credentials = self.credentials()?;
        let fresh =
            authentication::answer(answer.headers(), Some(&scope), credentials, &self.client)?;
        // The same again would be refused again.
        let Some(fresh) = fresh.filter(|fresh| known.as_ref() != Some(fresh)) else {
            return Ok(answer);
        };
        finish(answer);
        let answer = send(Some(&fresh))?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            *lock() = Some(fresh);
        }
        Ok(answer)
    }

    fn credentials(&self) -> Result<Option<&Credentials>> {
        if self.credentials.get().is_none() {
            let found = credentials::find(&self.registry)?;
            let _ = self.credentials.set(found);
        }
        Ok(self.credentials.get().and_then(Option::as_ref))
    }
}

/// Where a part begins that was to begin at `start`: "bytes 100-199/200".
fn first_byte(answer: &Response<Body>, start: u64) -> Result<u64> {
    let range = header(answer, "Content-Range").and_then(|range| range.strip_prefix("bytes "));
    let first = range.and_then(|range| range.split('-').next()?.parse().ok());
    let usable = first.filter(|first| *first <= start);
    usable.context("the registry answers with another part than we have asked for")
}
