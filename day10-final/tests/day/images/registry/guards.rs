//! Registries that want to know who asks.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::images::registry::{Reply, Request};

/// A challenge: "authentication required".
pub fn challenge(value: &str) -> Reply {
    Reply::error(401, "UNAUTHORIZED").with("WWW-Authenticate", value)
}

/// Lets a user in who has the right password, and nobody else.
pub fn password(
    user: &'static str,
    password: &'static str,
) -> impl FnMut(&Request) -> Option<Reply> {
    move |request| match is_allowed(request, user, password) {
        true => None,
        false => Some(challenge("Basic realm=\"here\"")),
    }
}

fn is_allowed(request: &Request, user: &str, password: &str) -> bool {
    let basic = STANDARD.encode(format!("{user}:{password}"));
    request.header("authorization") == format!("Basic {basic}")
}

/// Lets in who has a token, for `uses` requests each. Tokens are at /token, for everybody or, if there is a `user`, for
/// whoever has the password. `challenge` says so: {realm} stands for their address, and {path} for what is asked for.
pub fn tokens(
    challenge: &'static str,
    user: Option<(&'static str, &'static str)>,
    uses: usize,
) -> impl FnMut(&Request) -> Option<Reply> {
    let mut tokens = HashMap::new();
    move |request| {
        if request.path.starts_with("/token") {
            if user.is_some_and(|(user, password)| !is_allowed(request, user, password)) {
                return Some(Reply::error(401, "UNAUTHORIZED"));
            }
            let token = format!("token-{}", tokens.len());
            tokens.insert(format!("Bearer {token}"), uses);
            // Both names are usual.
            let name = ["token", "access_token"][tokens.len() % 2];
            return Some(Reply::new(200, json!({name: token}).to_string()));
        }
        match tokens.get_mut(request.header("authorization")) {
            Some(left) if *left > 0 => {
                *left -= 1;
                None
            }
            _ => {
                let realm = format!("http://{}/token", request.header("host"));
                let value = challenge.replace("{realm}", &realm);
                Some(self::challenge(&value))
            }
        }
    }
}
