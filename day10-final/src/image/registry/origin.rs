//! Where a registry is: its host, and whether TLS is spoken there.

use anyhow::Result;
use ureq::http::{StatusCode, Uri};

use crate::image::name::HUB;
use crate::image::registry::http::{Client, address, is_loopback};
use crate::image::registry::retry::Passing;

/// Where a registry is, for example "https://registry-1.docker.io". `registry` is the first part of a name.
pub fn of(registry: &str, client: &Client) -> Result<String> {
    let host = match registry {
        HUB => "registry-1.docker.io",
        host => host,
    };
    let (safe, plain) = (format!("https://{host}"), format!("http://{host}"));
    match is_loopback(address(&safe)?.host().unwrap_or_default()) && !speaks_tls(&plain, client)? {
        true => Ok(plain),
        false => Ok(safe),
    }
}

/// On loopback, both are usual. Whoever expects TLS takes a plain question for a bad one, or hangs up.
fn speaks_tls(plain: &str, client: &Client) -> Result<bool> {
    match client.get(&address(&format!("{plain}/v2/"))?, &[]) {
        Ok(answer) => Ok(answer.status() == StatusCode::BAD_REQUEST),
        Err(error) if error.is::<Passing>() => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether it is safe to ask there at all: by TLS, or without leaving this machine.
pub fn is_safe(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback(host),
        _ => false,
    }
}

// ANCHOR: is_same
/// Whether two addresses lead to the same server, which may then see the same password.
pub fn is_same(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| {
        let usual = match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        uri.port_u16().unwrap_or(usual)
    };
    let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}
// ANCHOR_END: is_same
