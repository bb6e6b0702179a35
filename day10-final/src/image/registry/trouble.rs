//! What went wrong, in words for the user, and whether it may go better the next time.

use std::io::{self, ErrorKind, Read};

use anyhow::{Error, anyhow};
use ureq::http::Uri;
use ureq::{BodyReader, Timeout};

use crate::failure::quoted;
use crate::image::registry::retry::Passing;

/// Why there is no answer from `uri`.
pub fn of_connection(error: ureq::Error, uri: &Uri) -> Error {
    let host = quoted(uri.authority().map_or("", |host| host.as_str()));
    match error {
        ureq::Error::Io(error) if hangs_up(error.kind()) => {
            Passing::now(format!("{host} has hung up")).into()
        }
        ureq::Error::Protocol(_) => Passing::now(format!("{host} does not speak HTTP")).into(),
        ureq::Error::HostNotFound | ureq::Error::Timeout(Timeout::Resolve) => {
            anyhow!("cannot find the host {host}")
        }
        ureq::Error::Timeout(_) => anyhow!("{host} does not answer"),
        error => {
            let error = error.into_io().to_string();
            let reason = quoted(&error);
            match error {
                _ if error.contains("failed to lookup") => anyhow!("cannot find the host {host}"),
                _ if error.contains("UnknownIssuer") => anyhow!(
                    "cannot trust {host}: {reason}\nhint: if you know who issued its certificate: SSL_CERT_FILE=ca.pem \
                     tiny-docker …"
                ),
                _ => anyhow!("cannot reach {host}: {reason}"),
            }
        }
    }
}

fn hangs_up(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    [
        BrokenPipe,
        ConnectionAborted,
        ConnectionReset,
        UnexpectedEof,
    ]
    .contains(&kind)
}

/// Why the rest of an answer does not come.
pub fn of_reading(error: io::Error) -> Error {
    match hangs_up(error.kind()) {
        true => Passing::now("the registry has hung up".to_owned()).into(),
        false => Error::new(error),
    }
}

/// The body of an answer, whose errors are fit for the user.
pub struct Reader(pub BodyReader<'static>);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.0.read(buffer);
        outcome.map_err(|error| match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => {
                io::Error::new(ErrorKind::TimedOut, "the registry has fallen silent")
            }
            error => {
                let error = error.into_io();
                match hangs_up(error.kind()) {
                    true => io::Error::new(error.kind(), "the registry has hung up"),
                    false => io::Error::new(error.kind(), quoted(&error.to_string())),
                }
            }
        })
    }
}
