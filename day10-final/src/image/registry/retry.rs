//! Once more, after a while: a registry that is busy says for how long. RFC 9110, section 10.2.3.

use std::fmt::{self, Display, Formatter};

/// An error that may be gone the next time.
#[derive(Debug)]
pub struct Passing {
    pub reason: String,
}

impl Passing {
    pub fn now(reason: String) -> Self {
        Self { reason }
    }
}

impl Display for Passing {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Passing {}
