//! `login` and `logout`: a password is asked for, checked with the registry, and kept.

mod prompt;

use std::io::{self, IsTerminal, Read};

use anyhow::{Context, Result, bail, ensure};
use ureq::http::StatusCode;

use crate::cli::images::Login;
use crate::failure::{in_quotes, print, quoted, say};
use crate::image::name::HUB;
use crate::image::name::grammar::is_registry;
use crate::image::registry::authentication;
use crate::image::registry::credentials::{self, Credentials};
use crate::image::registry::http::{Client, SILENCE, address};
use crate::image::registry::origin;
use crate::image::registry::retry::patiently;

/// No password is longer.
const LONGEST: u64 = 1 << 16;

/// `login`
pub fn login(options: &Login) -> Result<u8> {
    let registry = registry(options.server.as_deref())?;
    let (user, password) = ask(options)?;
    let cannot = || format!("cannot log in to {registry}");
    check(&registry, &user, &password).with_context(cannot)?;
    if let Some(file) = credentials::store(&registry, &user, &password).with_context(cannot)? {
        say(&format!("the password is now in {file}, unencrypted"));
    }
    Ok(print("Login Succeeded"))
}

/// `logout`
pub fn logout(server: Option<&str>) -> Result<u8> {
    let registry = registry(server)?;
    let had = credentials::erase(&registry);
    let had = had.with_context(|| format!("cannot log out of {registry}"))?;
    Ok(print(match had {
        true => format!("Removing login credentials for {registry}"),
        false => format!("Not logged in to {registry}"),
    }))
}

/// The registry that the user means. Docker lets them write it as an address.
fn registry(server: Option<&str>) -> Result<String> {
    let server = server.unwrap_or(HUB);
    let host = credentials::host(server).filter(|host| is_registry(host));
    let host = host.with_context(|| format!("{} is not a registry", in_quotes(server)))?;
    Ok(match credentials::is_hub(host) {
        true => HUB.to_owned(),
        false => host.to_owned(),
    })
}

fn ask(options: &Login) -> Result<(String, String)> {
    let (user, password) = words(options)?;
    ensure!(!user.is_empty(), "the user name is empty");
    // RFC 7617: what comes after a colon is the password.
    ensure!(!user.contains(':'), "a user name cannot contain a colon");
    ensure!(!password.is_empty(), "the password is empty");
    Ok((user, password))
}

fn words(options: &Login) -> Result<(String, String)> {
    let user = options.username.clone();
    if let (true, Some(user)) = (options.password_stdin, &user) {
        return Ok((user.clone(), from_stdin()?));
    }
    let can_ask = io::stdin().is_terminal();
    let needed =
        "stdin is not a terminal\nhint: tiny-docker login --username NAME --password-stdin";
    let user = match user {
        Some(user) => user,
        None if can_ask => prompt::line("Username: ")?,
        None => bail!("cannot ask for a user name: {needed}"),
    };
    let password = match &options.password {
        Some(password) => {
            say("everybody can see the password in ps: use --password-stdin");
            password.clone()
        }
        None if can_ask => prompt::secret("Password: ")?,
        None => bail!("cannot ask for a password: {needed}"),
    };
    Ok((user, password))
}

/// All of stdin, without the end of its last line.
fn from_stdin() -> Result<String> {
    let mut password = String::new();
    let read = io::stdin().take(LONGEST).read_to_string(&mut password);
    read.context("cannot read the password")?;
    let line = password.strip_suffix('\n').unwrap_or(&password);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

// ANCHOR: check
/// Asks the registry whether it lets the user in.
fn check(registry: &str, user: &str, password: &str) -> Result<()> {
    let client = Client::new(SILENCE);
    let uri = address(&format!("{}/v2/", origin::of(registry, &client)?))?;
    let credentials = Credentials::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    };
    let mut answer = patiently(|| client.get(&uri, &[]))?;
    if answer.status() == StatusCode::UNAUTHORIZED {
        let headers = answer.headers();
        let value =
            patiently(|| authentication::answer(headers, None, Some(&credentials), &client))?;
        let value = value.context("it does not say how")?;
        answer = patiently(|| client.get(&uri, &[("Authorization", &value)]))?;
    }
    match answer.status() {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            bail!("the user name or the password is wrong")
        }
        status => bail!(
            "it answers {}: it does not seem to be a registry",
            quoted(status.as_str())
        ),
    }
}
// ANCHOR_END: check
