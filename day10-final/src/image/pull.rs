//! `pull`: from a name to an image in the store.

use anyhow::{Context, Result};

use crate::failure::{print, shown};
use crate::image::name::Name;

// ANCHOR: pull
/// `pull`: says what the name means.
pub fn pull(name: &str) -> Result<u8> {
    let cannot = || format!("cannot pull {}", shown(name));
    let name: Name = name.parse().with_context(cannot)?;
    Ok(print(name.canonical()))
}
// ANCHOR_END: pull
