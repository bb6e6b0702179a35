//! Who is logged in where: Docker's config.json, so that whoever has logged in with Docker has logged in here.
//!
//! It may say that a [`helper`] keeps the passwords, for all registries or for some.

mod file;
mod helper;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::image::name::HUB;
use crate::image::registry::credentials::file::Config;

/// What Docker Hub is called there.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What a helper calls the user whose password is an identity token.
const TOKEN_USER: &str = "<token>";

/// What a registry has to be told.
pub enum Credentials {
    Password {
        user: String,
        password: String,
    },
    /// For the token service only: OAuth calls it a refresh token.
    Identity(String),
}

// ANCHOR: find
/// What the user is to `registry`, for example "docker.io". None: nobody.
pub fn find(registry: &str) -> Result<Option<Credentials>> {
    let config = Config::read()?;
    if let Some(helper) = config.helper(&key(registry)) {
        let found = helper::get(&helper, &key(registry))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let entries = config.entries();
    let exact = entries.and_then(|entries| entries.get(&key(registry)));
    let entry = exact.or_else(|| {
        let mut others = entries?.iter();
        let found = others.find(|(key, _)| is_for(key, registry));
        found.map(|(_, entry)| entry)
    });
    entry.map_or(Ok(None), |entry| {
        read(entry).with_context(|| format!("cannot read the login for {registry} in {config}"))
    })
}
// ANCHOR_END: find

/// Keeps what has been checked. Returns the file that has the password now, unless a helper has it.
pub fn store(registry: &str, user: &str, password: &str) -> Result<Option<String>> {
    let key = key(registry);
    let config = Config::read()?;
    let helper = config.helper(&key);
    if let Some(helper) = &helper {
        helper::store(helper, &key, user, password)?;
    }
    config.change(|entries| {
        let entry = match helper {
            // Docker finds by it where the user has logged in.
            Some(_) => json!({}),
            None => json!({"auth": STANDARD.encode(format!("{user}:{password}"))}),
        };
        entries.insert(key.clone(), entry);
    })?;
    Ok(helper.is_none().then(|| config.to_string()))
}

/// Forgets it. Returns whether there was something.
pub fn erase(registry: &str) -> Result<bool> {
    let config = Config::read()?;
    let helper = config.helper(&key(registry));
    let had = helper
        .as_ref()
        .is_some_and(|helper| helper::erase(helper, &key(registry)));
    let is_it = |key: &str| is_for(key, registry);
    let entries = config.entries();
    if !entries.is_some_and(|entries| entries.keys().any(|key| is_it(key))) {
        return Ok(had);
    }
    config.change(|entries| entries.retain(|key, _| !is_it(key)))?;
    Ok(true)
}

/// What `registry` is called in the file.
fn key(registry: &str) -> String {
    match registry {
        HUB => HUB_KEY,
        host => host,
    }
    .to_owned()
}

// ANCHOR: host
/// Whether `key` means `registry`. Old versions of Docker wrote addresses, such as "https://host/v1/".
fn is_for(key: &str, registry: &str) -> bool {
    host(key).is_some_and(|host| host == registry || registry == HUB && is_hub(host))
}

/// The host of an address, with or without its scheme, that is all of a registry.
pub fn host(address: &str) -> Option<&str> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme));
    let rest = rest.unwrap_or(address);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_root = ["", "v1", "v2"].contains(&path.trim_end_matches('/'));
    is_root.then_some(host)
}
// ANCHOR_END: host

/// Whether it is one of Docker Hub's names.
pub fn is_hub(host: &str) -> bool {
    [HUB, "index.docker.io", "registry-1.docker.io"].contains(&host)
}

/// What an entry of the file says. Docker leaves empty ones where a helper has the password.
fn read(entry: &Value) -> Result<Option<Credentials>> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credentials::Identity(token.to_owned())));
    }
    if let Some(auth) = text("auth") {
        let pair = STANDARD.decode(auth.trim()).context("it is not base64")?;
        let pair = String::from_utf8(pair).context("it is not text")?;
        let pair = pair.split_once(':').context("it has no password")?;
        // Some versions of Docker wrote a few zeros after it.
        return Ok(Some(password(pair.0, pair.1.trim_end_matches('\0'))));
    }
    let pair = text("username").zip(text("password"));
    Ok(pair.map(|(user, secret)| password(user, secret)))
}

fn password(user: &str, secret: &str) -> Credentials {
    match user {
        TOKEN_USER => Credentials::Identity(secret.to_owned()),
        user => Credentials::Password {
            user: user.to_owned(),
            password: secret.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_more_than_one_key() {
        for (key, registry, expected) in [
            ("https://index.docker.io/v1/", "docker.io", true),
            ("docker.io", "docker.io", true),
            ("https://localhost:5000", "localhost:5000", true),
            ("http://localhost:5000/v2/", "localhost:5000", true),
            ("localhost:5000/v1", "localhost:5000", true),
            // Podman means a part of the registry by it.
            ("localhost:5000/x", "localhost:5000", false),
            ("localhost:5000", "localhost:5001", false),
            ("index.docker.io", "localhost:5000", false),
            ("", "docker.io", false),
        ] {
            assert_eq!(is_for(key, registry), expected, "{key} {registry}");
        }
    }

    fn said(entry: Value) -> String {
        match read(&entry) {
            Ok(Some(Credentials::Password { user, password })) => format!("{user} {password}"),
            Ok(Some(Credentials::Identity(token))) => format!("token {token}"),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn all_forms_of_a_login_are_read() {
        let auth = |pair: &str| said(json!({"auth": STANDARD.encode(pair)}));
        assert_eq!(auth("reader:won:der"), "reader won:der");
        assert_eq!(auth("reader:wonder\0\0"), "reader wonder");
        assert_eq!(auth("<token>:abc"), "token abc");
        assert_eq!(auth("reader"), "it has no password");
        assert_eq!(said(json!({"auth": "%"})), "it is not base64");
        assert_eq!(
            said(json!({"auth": "", "identitytoken": "abc"})),
            "token abc"
        );
        assert_eq!(said(json!({"username": "a", "password": "b"})), "a b");
        assert_eq!(said(json!({})), "nothing");
        assert_eq!(said(json!(null)), "nothing");
    }
}
