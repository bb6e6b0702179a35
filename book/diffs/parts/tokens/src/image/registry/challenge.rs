//! How a registry wants to know who asks: WWW-Authenticate, RFC 9110, section 11.6.1.

use std::iter::Peekable;
use std::str::Chars;

/// For example `Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`.
#[derive(Debug, PartialEq)]
pub struct Challenge {
    /// In lower case.
    pub scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &value[..])
    }

    // ANCHOR: all
    /// All that one header contains. A comma separates challenges, and also the parameters of one.
    pub fn all(header: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest = header.chars().peekable();
        loop {
            skip(&mut rest, " \t,");
            let word = word(&mut rest);
            if word.is_empty() {
                // It is over, or not as it should be: then what came before still counts.
                return found;
            }
            let spaces = skip(&mut rest, " \t");
            match (rest.peek(), found.last_mut()) {
                (Some('='), Some(challenge)) => {
                    rest.next();
                    skip(&mut rest, " \t");
                    challenge.parameters.push((word, value(&mut rest)));
                }
                (Some('='), None) => return found,
                _ => {
                    let (scheme, parameters) = (word, Vec::new());
                    found.push(Self { scheme, parameters });
                    if spaces {
                        skip_blob(&mut rest);
                    }
                }
            }
        }
    }
    // ANCHOR_END: all
}

/// Skips any of `those`, and says whether there were some.
fn skip(rest: &mut Peekable<Chars>, those: &str) -> bool {
    let mut any = false;
    while rest.next_if(|c| those.contains(*c)).is_some() {
        any = true;
    }
    any
}

/// A token, as RFC 9110 has it, in lower case.
fn word(rest: &mut Peekable<Chars>) -> String {
    let inside = |c: &char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(*c);
    let mut word = String::new();
    while let Some(c) = rest.next_if(inside) {
        word.push(c.to_ascii_lowercase());
    }
    word
}

/// What comes after a parameter's "=". In quotes, a backslash takes the meaning from the next character.
fn value(rest: &mut Peekable<Chars>) -> String {
    let mut value = String::new();
    if rest.next_if_eq(&'"').is_none() {
        while let Some(c) = rest.next_if(|c| !" \t,".contains(*c)) {
            value.push(c);
        }
        return value;
    }
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => value.extend(rest.next()),
            c => value.push(c),
        }
    }
    value
}

/// Some schemes have a blob of base64 in place of parameters, such as "Negotiate YII=".
fn skip_blob(rest: &mut Peekable<Chars>) {
    let mut ahead = rest.clone();
    while ahead
        .next_if(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(*c))
        .is_some()
    {}
    while ahead.next_if_eq(&'=').is_some() {}
    skip(&mut ahead, " \t");
    if ahead.peek().is_none_or(|c| *c == ',') {
        *rest = ahead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written in one line: "bearer realm=a service=b, basic".
    fn read(header: &str) -> String {
        let challenges = Challenge::all(header).into_iter().map(|challenge| {
            let parameters = challenge.parameters.into_iter();
            let parameters = parameters.map(|(name, value)| format!(" {name}=<{value}>"));
            challenge.scheme + &parameters.collect::<String>()
        });
        challenges.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn all_challenges_of_a_header_are_found() {
        for (header, expected) in [
            ("Basic realm=\"a b\"", "basic realm=<a b>"),
            ("BASIC REALM=a", "basic realm=<a>"),
            (
                "Bearer realm=\"x\",service=\"y\"",
                "bearer realm=<x> service=<y>",
            ),
            (
                "Bearer realm = \"x\" , service= y",
                "bearer realm=<x> service=<y>",
            ),
            (
                "Basic realm=a, Bearer realm=b",
                "basic realm=<a>, bearer realm=<b>",
            ),
            ("Negotiate, Basic realm=a", "negotiate, basic realm=<a>"),
            (
                "Negotiate YII/+A==, Basic realm=a",
                "negotiate, basic realm=<a>",
            ),
            ("NTLM a.b-c , Basic", "ntlm, basic"),
            (
                r#"Bearer error="invalid \"token\", try",realm="a\\b""#,
                r#"bearer error=<invalid "token", try> realm=<a\b>"#,
            ),
        ] {
            assert_eq!(read(header), expected, "{header}");
        }
    }

    #[test]
    fn nonsense_ends_what_is_found() {
        for (header, expected) in [
            ("", ""),
            (" , ,, ", ""),
            ("=a", ""),
            ("a=b", ""),
            ("Basic realm=\"never closed", "basic realm=<never closed>"),
            ("Basic realm=\"x\\", "basic realm=<x>"),
            ("Basic realm=a, \u{1b}[2J Bearer realm=b", "basic realm=<a>"),
            ("Basic realm=a;b=c", "basic realm=<a;b=c>"),
        ] {
            assert_eq!(read(header), expected, "{header:?}");
        }
    }
}
