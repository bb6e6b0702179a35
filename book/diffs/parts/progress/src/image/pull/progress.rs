//! What a pull shows: on a terminal a line for each layer that moves, drawn again and again, and plain lines otherwise.
//! console_codes(4).

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::failure;
use crate::image::pull::board::{Layer, Stage, State};
use crate::stats::size::of_data;
use crate::terminal::pty;

/// How often a terminal's lines are drawn.
const PERIOD: Duration = Duration::from_millis(100);

/// How wide a bar is.
const BAR: u64 = 25;

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
    /// How many lines at the end will be drawn again.
    drawn: usize,
    last: Instant,
}

impl Output {
    pub fn to(target: Target) -> Self {
        Self {
            target,
            told: Vec::new(),
            drawn: 0,
            last: Instant::now(),
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

    // ANCHOR: show
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
        match self.size() {
            Some(size) if self.last.elapsed() >= PERIOD || !text.is_empty() => {
                self.draw(text, &moving(state), size);
            }
            None => self.write(&text),
            Some(_) => (),
        }
        state.moved()
    }

    /// Prints what others have said meanwhile, in its place. From now on, [`say`](failure::say) leaves that to us.
    pub fn pass_on(&mut self) {
        if self.size().is_some() {
            let lines = failure::hold();
            self.note(lines);
        }
    }

    fn note(&mut self, lines: Vec<String>) {
        if !lines.is_empty() {
            self.undraw();
            let _ = io::stderr().write_all(lines.concat().as_bytes());
        }
    }

    /// The size of the terminal, if it is one that understands codes.
    fn size(&self) -> Option<[u16; 2]> {
        let size = match self.target {
            Target::Stdout => pty::size(io::stdout().as_fd()),
            Target::Stderr => pty::size(io::stderr().as_fd()),
            Target::Nowhere => None,
        };
        let is_simple = || env::var_os("TERM").is_none_or(|term| term == "dumb");
        size.filter(|_| !is_simple())
    }

    /// Draws `lines` over those of before, below what stays, as far as the terminal has room for them.
    fn draw(&mut self, stays: String, lines: &[String], [rows, columns]: [u16; 2]) {
        if self.drawn == 0 && stays.is_empty() && lines.is_empty() {
            return;
        }
        let mut text = match self.drawn {
            0 => String::new(),
            up => format!("\x1b[{up}A"),
        };
        text += "\r\x1b[J";
        text += &stays;
        // A line that fills the last column may, or may not, begin another one.
        let [rows, columns] = [(rows, 24), (columns, 80)].map(|(size, usual)| match size {
            0 => usual - 1,
            size => size.max(2) - 1,
        });
        self.drawn = lines.len().min(rows.into());
        for line in &lines[..self.drawn] {
            text.extend(line.chars().take(columns.into()));
            text.push('\n');
        }
        self.write(&text);
        self.last = Instant::now();
    }
    // ANCHOR_END: show

    /// From now on, nothing is drawn.
    pub fn end(&mut self) {
        self.undraw();
        self.note(failure::release());
    }

    fn undraw(&mut self) {
        if self.drawn > 0
            && let Some(size) = self.size()
        {
            self.draw(String::new(), &[], size);
        }
    }
}

// ANCHOR: moving
/// A line for each layer that is being fetched or unpacked.
fn moving(state: &State) -> Vec<String> {
    let line = |layer: &Layer| {
        let blob = &state.blobs[layer.blob];
        let size = blob.descriptor.size;
        let id = blob.descriptor.digest.short();
        match (layer.stage, blob.stage) {
            (Stage::Stored, Stage::Stored) | (Stage::Waiting, Stage::Waiting) => None,
            (_, Stage::Moving) => Some(bar(&id, "Downloading", blob.have, size)),
            (Stage::Moving, _) => Some(bar(&id, "Extracting", layer.read, size)),
            _ => Some(format!("{id}: Download complete")),
        }
    };
    state.layers.iter().filter_map(line).collect()
}

fn bar(id: &str, word: &str, there: u64, of: u64) -> String {
    let width = (there.saturating_mul(BAR) / of.max(1)).min(BAR) as usize;
    let bar = "=".repeat(width) + ">";
    let (there, all) = (of_data(there), of_data(of));
    format!("{id}: {word:11} [{bar:<26}] {there}/{all}")
}
// ANCHOR_END: moving
