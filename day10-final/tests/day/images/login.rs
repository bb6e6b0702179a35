//! Logging in: who gets a password or a token, and what is kept of it.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::registry::guards::{challenge, password, tokens};
use crate::images::registry::{Fault, Registry, Reply};
use crate::need_namespaces;
use crate::support::{Seen, tiny_docker};

/// A user with a home directory of their own.
struct User(TempDir);

impl User {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Writes Docker's configuration.
    fn has(&self, config: &Value) {
        fs::write(self.0.path().join("config.json"), config.to_string()).unwrap();
    }

    fn types(&self, arguments: &[&str], stdin: &str) -> Seen {
        let mut command = tiny_docker(arguments);
        let home = self.0.path().display();
        command.env("DOCKER_CONFIG", self.0.path());
        // For helpers.
        command.env("PATH", format!("{home}:/usr/bin:/bin"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let mut seen: Seen = child.wait_with_output().unwrap().into();
        seen.stderr = seen.stderr.replace(&home.to_string(), "HOME");
        seen
    }

    fn pulls(&self, name: &str) -> Seen {
        self.types(&["pull", "-q", name], "")
    }
}

fn with_an_image() -> Registry {
    let registry = Registry::start();
    registry.push("x:1", &Image::new().layer(&Layer::new().file("a", "b")));
    registry
}

#[test]
fn a_token_service_is_asked_again_only_if_that_may_help() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    for (status, times) in [(500, 1), (501, 1), (429, 5), (502, 5), (504, 5)] {
        let mut tokens = tokens(r#"Bearer realm="{realm}""#, None, 100);
        let reply = Reply::new(status, "").with("Retry-After", "0");
        registry.guard(move |request| match request.path.starts_with("/token") {
            true => Some(reply.clone()),
            false => tokens(request),
        });
        let seen = user.pulls(&registry.name("x:1"));
        let answers = format!("answers {status} ");
        assert!(seen.stderr.contains(&answers), "{}", seen.stderr);
        let asked = registry.log();
        let tokens = asked
            .iter()
            .filter(|request| request.path.starts_with("/token"));
        assert_eq!(tokens.count(), times, "{status}");
    }
}

#[test]
fn an_identity_token_is_exchanged_for_a_token() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(tokens(r#"Bearer realm="{realm}",service="s""#, None, 100));
    let entry = json!({"identitytoken": "very secret"});
    user.has(&json!({"auths": {registry.address.to_string(): entry}}));
    assert_eq!(user.pulls(&registry.name("x:1")).stderr, "");
    let asked = registry.log();
    let token = asked
        .iter()
        .find(|request| request.path.starts_with("/token"))
        .unwrap();
    assert_eq!((&token.method[..], &token.path[..]), ("POST", "/token"));
}

#[test]
fn a_token_service_without_tls_gets_nothing() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    let bearer = challenge("Bearer realm=\"http://192.0.2.1/token\"");
    registry.fault("/manifests/", 1, Fault::Answer(bearer));
    let seen = user.pulls(&registry.name("x:1")).stderr;
    assert!(
        seen.contains("http://192.0.2.1/token, which is not https"),
        "{seen}"
    );
}

#[test]
fn a_helper_that_cannot_be_is_named() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(password("reader", "wonder"));
    let said = ["no-such", "../../bin/sh", "x\u{1b}[2J"].map(|helper| {
        user.has(&json!({"credsStore": helper}));
        let seen = user.pulls(&registry.name("x:1")).stderr;
        seen.replace(&registry.name("x:1"), "NAME")
    });
    assert_snapshot!(said.concat(), @r"
    tiny-docker: cannot pull NAME: cannot run docker-credential-no-such: No such file or directory (os error 2)
    tiny-docker: cannot pull NAME: cannot run docker-credential-../../bin/sh: it is not the name of a program
    tiny-docker: cannot pull NAME: cannot run docker-credential-x\u{1b}[2J: it is not the name of a program
    ");
}
