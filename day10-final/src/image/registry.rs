//! A registry: the distribution specification, with HTTP by ureq.

mod answer;
pub mod http;
mod origin;
mod redirect;
mod retry;
mod trouble;

use anyhow::{Result, bail};
use ureq::Body;
use ureq::http::{Response, Uri};

use crate::image::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST};
use crate::image::name::Name;
use crate::image::registry::answer::{About, Answer};
use crate::image::registry::http::{Client, Header, SILENCE, address, finish};

/// One repository of one registry.
pub struct Registry {
    client: Client,
    /// As the user types it: "docker.io".
    registry: String,
    /// Where that is: "https://registry-1.docker.io".
    origin: Uri,
    repository: String,
}

impl Registry {
    /// Plain HTTP for loopback only.
    pub fn of(name: &Name) -> Result<Self> {
        let client = Client::new(SILENCE);
        Ok(Self {
            registry: name.registry.clone(),
            origin: address(&origin::of(&name.registry, &client)?)?,
            client,
            repository: name.repository.clone(),
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

    /// Asks for something of this repository, and follows where that leads. `what` is for errors.
    fn get(&self, path: &str, headers: &[Header], what: &str) -> Result<Response<Body>> {
        let mut uri = address(&format!("{}v2/{}/{path}", self.origin, self.repository))?;
        for _ in 0..=redirect::MOST {
            let answer = self.client.get(&uri, headers)?;
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
}
