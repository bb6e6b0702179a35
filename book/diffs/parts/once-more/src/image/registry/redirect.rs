//! Where an answer redirects us: RFC 9110, section 15.4, and RFC 3986, section 5. Registries keep blobs elsewhere.

use anyhow::{Context, Result};
use ureq::Body;
use ureq::http::{Response, Uri};

use crate::failure::quoted;
use crate::image::registry::http::header;
use crate::image::registry::origin::is_safe;

/// How many redirects in a row we follow.
pub const MOST: usize = 8;

// ANCHOR: target
/// Where `answer`, to a request to `from`, redirects us. None: nowhere.
pub fn target(from: &Uri, answer: &Response<Body>) -> Result<Option<Uri>> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location =
        header(answer, "Location").context("the registry redirects us, but does not say where")?;
    let to = absolute(from, location).parse::<Uri>().ok();
    let to = to.filter(is_safe).with_context(|| {
        let place = quoted(location);
        format!("the registry redirects us to {place}, which is not an https address")
    })?;
    Ok(Some(to))
}

/// `location` with what it leaves out, as seen from the address `from`.
fn absolute(from: &Uri, location: &str) -> String {
    let location = location.split('#').next().unwrap_or_default();
    let scheme = from.scheme_str().unwrap_or_default();
    let host = from.authority().map_or("", |host| host.as_str());
    let path = from.path();
    if has_scheme(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{host}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{host}{path}{location}")
    } else {
        let (relative, query) = location.split_at(location.find('?').unwrap_or(location.len()));
        let directory = path.rfind('/').map_or("", |end| &path[..end]);
        let path = without_dots(&format!("{directory}/{relative}"));
        format!("{scheme}://{host}{path}{query}")
    }
}
// ANCHOR_END: target

/// Whether it begins like "https:".
fn has_scheme(location: &str) -> bool {
    let Some((scheme, _)) = location.split_once(':') else {
        return false;
    };
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(inside)
}

/// An absolute path without "." and "..".
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => (),
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_may_leave_out_what_stays_the_same() {
        let from: Uri = "https://one:1/v2/x/blobs/sha256:12?a=b".parse().unwrap();
        for (location, expected) in [
            ("http://two/b", "http://two/b"),
            ("//two:2/b?c", "https://two:2/b?c"),
            ("/b?c#d", "https://one:1/b?c"),
            ("?c", "https://one:1/v2/x/blobs/sha256:12?c"),
            ("b?c=../d", "https://one:1/v2/x/blobs/b?c=../d"),
            ("../.././b", "https://one:1/v2/b"),
            ("../../../../b", "https://one:1/b"),
        ] {
            assert_eq!(absolute(&from, location), expected, "{location}");
        }
    }

    fn followed(location: &str) -> Result<Option<Uri>> {
        let answer = Response::builder().status(307).header("Location", location);
        let answer = answer.body(Body::builder().data("")).unwrap();
        target(&"https://one/v2/".parse().unwrap(), &answer)
    }

    #[test]
    fn only_what_is_safe_is_followed() {
        for location in [
            "https://two/",
            "http://127.0.0.1:5000/",
            "http://[::1]/",
            "/three",
        ] {
            assert!(followed(location).unwrap().is_some(), "{location}");
        }
        for location in [
            "http://two/",
            "http://127.0.0.1.two/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "https://",
            "https://a b/",
        ] {
            assert!(followed(location).is_err(), "{location}");
        }
    }
}
