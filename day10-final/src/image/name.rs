//! What images are called: `alpine` means docker.io/library/alpine:latest. The distribution specification, and Docker.

pub mod grammar;

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};

use crate::failure::in_quotes;
use crate::image::digest::Digest;
use crate::image::name::grammar::{is_component, is_id, is_registry, is_tag};

/// Docker Hub: the registry of a name that does not mention one.
pub const HUB: &str = "docker.io";

/// Its older name, which means the same.
const HUB_BEFORE: &str = "index.docker.io";

/// The owner of what has none in its name.
const OFFICIAL: &str = "library/";

/// How long a registry and a repository may be, together.
const LONGEST: usize = 255;

/// For example docker.io/library/alpine:latest, or host:5000/x/y@sha256:…
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// "docker.io", "localhost:5000"
    pub registry: String,
    /// "library/alpine"
    pub repository: String,
    /// None only if there is a digest.
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

impl Name {
    /// Complete, as in the store's index: "docker.io/library/alpine:latest", "…/alpine@sha256:…". With a digest, the
    /// tag does not count.
    pub fn canonical(&self) -> String {
        self.canonical_repository() + &self.reference()
    }

    /// The part of [`canonical`](Self::canonical) before the tag or digest: "docker.io/library/alpine".
    pub fn canonical_repository(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The repository as Docker prints it: "alpine", "localhost:5000/x/y".
    pub fn familiar_repository(&self) -> String {
        if self.registry != HUB {
            return self.canonical_repository();
        }
        let official = self.repository.strip_prefix(OFFICIAL);
        // In library/a/b, the owner cannot be left out.
        let short = official.filter(|name| !name.contains('/'));
        short.unwrap_or(&self.repository).to_owned()
    }

    fn reference(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("@{digest}"),
            (None, Some(tag)) => format!(":{tag}"),
            (None, None) => String::new(),
        }
    }
}

// ANCHOR: read
impl FromStr for Name {
    type Err = Error;

    /// What the user has typed, or what an index says: both forms are accepted.
    fn from_str(text: &str) -> Result<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        // The colon of a port comes before a slash.
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let (registry, repository) = split(path);
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        let name = Self {
            registry,
            repository,
            tag,
            digest,
        };
        name.check(text)?;
        Ok(name)
    }
}

/// The registry and the repository of a name without tag and digest.
///
/// `localhost/x` has a registry and `owner/x` has none: a registry is recognised by a dot, a colon or a capital letter.
fn split(path: &str) -> (String, String) {
    let says_where = |first: &str| {
        let marks = |c: char| c == '.' || c == ':' || c.is_ascii_uppercase();
        first == "localhost" || first.contains(marks)
    };
    let (registry, repository) = match path.split_once('/') {
        Some((first, rest)) if says_where(first) => (first, rest),
        _ => (HUB, path),
    };
    if registry != HUB && registry != HUB_BEFORE {
        return (registry.to_owned(), repository.to_owned());
    }
    let official = match repository.contains('/') {
        true => "",
        false => OFFICIAL,
    };
    (HUB.to_owned(), format!("{official}{repository}"))
}
// ANCHOR_END: read

impl Name {
    fn check(&self, text: &str) -> Result<()> {
        let text = in_quotes(text);
        ensure!(
            !text.contains("://"),
            "{text} is not an image's name: leave out http:// and https://"
        );
        let bare = self.repository.strip_prefix(OFFICIAL);
        if bare.is_some_and(str::is_empty) || self.repository.is_empty() {
            bail!("{text} is not an image's name: the repository is missing");
        }
        ensure!(
            is_registry(&self.registry),
            "{text} is not an image's name: its registry must be a host, or a host and a port"
        );
        ensure!(
            !self.repository.contains(|c: char| c.is_ascii_uppercase()),
            "{text} is not an image's name: a repository cannot have capital letters"
        );
        ensure!(
            self.repository.split('/').all(is_component),
            "{text} is not an image's name: a repository consists of a-z and 0-9, with . _ or - between them"
        );
        ensure!(
            self.registry.len() + 1 + self.repository.len() <= LONGEST,
            "{text} is not an image's name: it is longer than {LONGEST} characters"
        );
        ensure!(
            !bare.is_some_and(is_id),
            "{text} is not an image's name: it looks like an id"
        );
        if let Some(tag) = &self.tag {
            ensure!(is_tag(tag), "{} is not a tag", in_quotes(tag));
        }
        Ok(())
    }
}

impl Display for Name {
    /// As Docker prints it: "alpine:latest", "alpine@sha256:…".
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}{}", self.familiar_repository(), self.reference())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn canonical(text: &str) -> String {
        text.parse::<Name>().unwrap().canonical()
    }

    fn refused(text: &str) -> String {
        let outcome = text.parse::<Name>();
        format!("{:#}", outcome.err().unwrap_or_else(|| panic!("{text}")))
    }

    #[test]
    fn a_name_means_what_it_means_to_docker() {
        for (typed, meant) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("grafana/loki", "docker.io/grafana/loki:latest"),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            ("index.docker.io/a/b:c", "docker.io/a/b:c"),
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/x/y", "localhost:5000/x/y:latest"),
            ("HOST/x", "HOST/x:latest"),
            ("[::1]:5000/x:1", "[::1]:5000/x:1"),
            ("a.b/c__d/e-f---g.h:_T.-", "a.b/c__d/e-f---g.h:_T.-"),
        ] {
            assert_eq!(canonical(typed), meant, "{typed}");
            assert_eq!(canonical(meant), meant);
        }
        let both = format!("alpine:3@{DIGEST}");
        assert_eq!(
            canonical(&both),
            format!("docker.io/library/alpine@{DIGEST}")
        );
    }

    #[test]
    fn a_name_is_printed_as_docker_prints_it() {
        for (typed, printed) in [
            ("docker.io/library/alpine:latest", "alpine:latest"),
            ("docker.io/library/a/b", "library/a/b:latest"),
            ("docker.io/a/b", "a/b:latest"),
            ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ] {
            assert_eq!(typed.parse::<Name>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn a_name_that_cannot_be_is_refused_with_the_reason() {
        for (typed, reason) in [
            ("", "the repository is missing"),
            ("docker.io/", "the repository is missing"),
            ("https://ghcr.io/a", "leave out http://"),
            ("Alpine", "capital letters"),
            ("a//b", "a repository consists of"),
            ("../x", "a host, or a host and a port"),
            ("a/../../etc", "a repository consists of"),
            ("a/b..c", "a repository consists of"),
            ("a/-b", "a repository consists of"),
            ("a b", "a repository consists of"),
            ("host:99999/x", "a host, or a host and a port"),
            ("ho_st.x/y", "a host, or a host and a port"),
            ("user@host/x", "is not a sha256 digest"),
            ("x:", "is not a tag"),
            ("x:.hidden", "is not a tag"),
            ("x@sha256:123", "is not a sha256 digest"),
            (&DIGEST[7..], "looks like an id"),
        ] {
            let refused = refused(typed);
            assert!(refused.contains(reason), "{typed}: {refused}");
        }
        assert_eq!(refused("x:"), "'' is not a tag");
        assert!(refused("").starts_with("'' is not an image's name: "));
        assert_eq!(refused("x@"), "'' is not a sha256 digest");
        assert!(refused(&"a".repeat(300)).contains("longer than 255"));
        assert!(refused(&format!("a:{}", "t".repeat(129))).contains("is not a tag"));
    }
}
