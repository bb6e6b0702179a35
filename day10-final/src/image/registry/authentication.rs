//! Who asks: a password, or a token from where the registry says that tokens are. The distribution project's token
//! specification, and RFC 7617.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::Body;
use ureq::http::{HeaderMap, Response, StatusCode, Uri};

use crate::failure::quoted;
use crate::image::registry::challenge::Challenge;
use crate::image::registry::credentials::Credentials;
use crate::image::registry::http::{Client, address, small};
use crate::image::registry::origin::is_safe;
use crate::image::registry::retry::{Passing, advice};

/// No answer of a token service is longer.
const LONGEST: u64 = 1 << 20;

/// What a token service answers. The second name of a token is OAuth's, and wins if it is there alone.
#[derive(Deserialize)]
struct Tokens {
    token: Option<String>,
    access_token: Option<String>,
}

// ANCHOR: answer
/// The value of an Authorization header that answers the challenges in `headers`. None: we have nothing that would do.
///
/// `scope` is what we want to do, for example "repository:library/alpine:pull", unless a challenge says what it takes.
pub fn answer(
    headers: &HeaderMap,
    scope: Option<&str>,
    credentials: Option<&Credentials>,
    client: &Client,
) -> Result<Option<String>> {
    let headers = headers.get_all("WWW-Authenticate").iter();
    let headers = headers.filter_map(|header| header.to_str().ok());
    let challenges: Vec<_> = headers.flat_map(Challenge::all).collect();
    let of = |scheme| {
        challenges
            .iter()
            .find(|challenge| challenge.scheme == scheme)
    };
    if let Some(bearer) = of("bearer") {
        let token = token(bearer, scope, credentials, client);
        return Ok(Some(format!(
            "Bearer {}",
            token.context("cannot get a token")?
        )));
    }
    if of("basic").is_none() {
        let schemes: Vec<_> = challenges
            .iter()
            .map(|challenge| &challenge.scheme[..])
            .collect();
        ensure!(
            schemes.is_empty(),
            "the registry wants a kind of login that we do not know: {}",
            quoted(&schemes.join(", "))
        );
    }
    // Who does not ask for a password gets none.
    Ok(of("basic").and_then(|_| basic(credentials)))
}

fn basic(credentials: Option<&Credentials>) -> Option<String> {
    let Some(Credentials::Password { user, password }) = credentials else {
        return None;
    };
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    Some(format!("Basic {encoded}"))
}

fn token(
    challenge: &Challenge,
    scope: Option<&str>,
    credentials: Option<&Credentials>,
    client: &Client,
) -> Result<String> {
    let realm = challenge
        .parameter("realm")
        .context("the registry does not say where")?;
    // What we know about the user goes there.
    let place = quoted(realm);
    ensure!(
        is_safe(&address(realm)?),
        "the registry says at {place}, which is not https"
    );
    let mut query = vec![(
        "service",
        challenge.parameter("service").unwrap_or_default(),
    )];
    let scopes = challenge.parameter("scope").or(scope).unwrap_or_default();
    let answer = match credentials {
        Some(Credentials::Identity(token)) => {
            query.extend([("scope", scopes), ("client_id", "tiny-docker")]);
            query.extend([("grant_type", "refresh_token"), ("refresh_token", token)]);
            client.post(&address(realm)?, &encoded(&query))?
        }
        password => {
            query.extend(scopes.split_whitespace().map(|scope| ("scope", scope)));
            let mark = match realm.contains('?') {
                true => '&',
                false => '?',
            };
            let uri: Uri = address(&format!("{realm}{mark}{}", encoded(&query)))?;
            let basic = basic(password);
            let basic = basic.as_deref().map(|basic| ("Authorization", basic));
            client.get(&uri, basic.as_slice())?
        }
    };
    read(answer, &place, credentials.is_some())
}
// ANCHOR_END: answer

fn read(answer: Response<Body>, place: &str, logged_in: bool) -> Result<String> {
    let (status, after) = (answer.status(), advice(&answer));
    match status {
        StatusCode::OK => (),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if logged_in => {
            bail!("the user name or the password is wrong")
        }
        _ if [429, 502, 503, 504].contains(&status.as_u16()) => {
            let reason = format!("{place} answers {status}");
            return Err(Passing { after, reason }.into());
        }
        _ => bail!("{place} answers {status}"),
    }
    let tokens: Tokens = serde_json::from_slice(&small(answer, LONGEST)?)
        .map_err(|_| anyhow::anyhow!("{place} answers something else"))?;
    let token = tokens
        .token
        .filter(|token| !token.is_empty())
        .or(tokens.access_token);
    let token = token.with_context(|| format!("{place} answers without one"))?;
    let visible = |byte: u8| byte.is_ascii_graphic();
    ensure!(
        !token.is_empty() && token.bytes().all(visible),
        "{place} answers something else"
    );
    Ok(token)
}

/// As a query or a form: RFC 3986, section 2.
fn encoded(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        let one = |byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(one).collect()
    };
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs = given.map(|(name, value)| format!("{name}={}", encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
