//! A question before something is removed. For the commands that end in `prune`.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// Whether the user says yes after this `warning`. If nobody can be asked, the answer is no.
pub fn is_confirmed(warning: &str) -> Result<bool> {
    write!(
        io::stdout(),
        "{warning}\nAre you sure you want to continue? [y/N] "
    )
    .context("cannot print")?;
    io::stdout().flush().context("cannot print")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
