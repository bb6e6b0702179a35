//! One blob: fetched and checked.

use std::fmt::{self, Display, Formatter};
use std::io::Read;

use anyhow::{Context, Result, ensure};

use crate::image::digest::Digest;
use crate::image::manifest::{Descriptor, MOST};
use crate::image::pull::body::Body;
use crate::image::registry::Registry;

/// The registry does not send it, or not now. What has arrived stays, for the next pull.
#[derive(Debug)]
pub struct Broken(String);

impl Display for Broken {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "cannot fetch {}", self.0)
    }
}

/// All of a configuration.
pub fn small(registry: &Registry, descriptor: &Descriptor) -> Result<Vec<u8>> {
    ensure!(
        descriptor.size <= MOST,
        "the configuration is larger than {MOST} bytes"
    );
    let (mut body, mut bytes) = (Body::new(registry, descriptor, 0), Vec::new());
    let read = body.read_to_end(&mut bytes);
    read.with_context(|| Broken(descriptor.digest.short()))?;
    check(Digest::of(&bytes), descriptor)?;
    Ok(bytes)
}

fn check(digest: Digest, descriptor: &Descriptor) -> Result<()> {
    ensure!(
        digest == descriptor.digest,
        "{} is damaged: what the registry sends is {}",
        descriptor.digest.short(),
        digest.short()
    );
    Ok(())
}
