//! What a pull shows: plain lines.

use std::io::{self, Write};

/// Where a pull's lines go.
pub enum Target {
    Stdout,
    /// For `run`, whose stdout belongs to the container.
    Stderr,
    /// With --quiet.
    Nowhere,
}

pub struct Output {
    target: Target,
}

impl Output {
    pub fn to(target: Target) -> Self {
        Self { target }
    }

    /// A line that stays. If nobody wants to read it any more, the pull goes on.
    pub fn line(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    fn write(&self, text: &str) {
        let _ = match self.target {
            Target::Stdout => {
                let mut stdout = io::stdout();
                // A code is not the end of a line.
                let written = stdout.write_all(text.as_bytes());
                written.and_then(|()| stdout.flush())
            }
            Target::Stderr => io::stderr().write_all(text.as_bytes()),
            Target::Nowhere => Ok(()),
        };
    }
}
