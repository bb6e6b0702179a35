//! What a pull shows: plain lines.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::image::pull::board::{Stage, State};

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
    /// Which layers have had their last line.
    told: Vec<bool>,
}

impl Output {
    pub fn to(target: Target) -> Self {
        Self {
            target,
            told: Vec::new(),
        }
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

    /// Shows how far it is. Returns how many bytes have moved so far, on all ways.
    pub fn show(&mut self, state: &State) -> u64 {
        let is_first = self.told.is_empty();
        self.told.resize(state.layers.len(), false);
        let word = match is_first {
            true => "Already exists",
            false => "Pull complete",
        };
        let mut text = String::new();
        for (layer, told) in state.layers.iter().zip(&mut self.told) {
            let blob = &state.blobs[layer.blob];
            if !*told && layer.stage.min(blob.stage) == Stage::Stored {
                *told = true;
                let _ = writeln!(text, "{}: {word}", blob.descriptor.digest.short());
            }
        }
        self.write(&text);
        state.moved()
    }
}
