//! `history`: how an image was made, as far as it says so itself.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::images;
use crate::failure::{escaped, shown};
use crate::image::keep::list::NONE;
use crate::image::keep::{Kept, NoSuch, ago, size, time};
use crate::image::manifest::History;
use crate::image::store::Store;
use crate::ps::table::table;
use crate::signals;
use crate::stats::size::of_data;

/// How much of a text is shown, in characters.
const ENOUGH: usize = 45;

/// Only the topmost step has an id: that of the image. Docker's builder used to keep an image for each of the others.
const MISSING: &str = "<missing>";

/// Prints the steps that led to an image, the latest first.
pub fn history(options: &images::History, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    let printed = || -> Result<u8> {
        let store = Store::existing(state)?.ok_or(NoSuch)?;
        let image = store.find(&options.image)?.ok_or(NoSuch)?;
        let steps = store.whole(&image)?.config.history.unwrap_or_default();
        let image = Kept::of(&store, &image)?;
        size::measure(&store, &image.chain)?;
        print(options, rows(options, &store, &image, &steps))
    };
    printed().with_context(|| format!("cannot show the history of {}", shown(&options.image)))
}

// ANCHOR: rows
fn rows(
    options: &images::History,
    store: &Store,
    image: &Kept,
    steps: &[History],
) -> Vec<[String; 5]> {
    let text = |text: &Option<String>| shortened(text.as_deref().unwrap_or(""), options.no_trunc);
    let mut layers = image.chain.iter();
    let mut rows = Vec::new();
    for step in steps {
        let layer = if step.empty_layer {
            None
        } else {
            layers.next()
        };
        let size = layer.map_or(0, |layer| size::of_layer(store, layer));
        let created = ago(step.created.as_deref().and_then(time));
        let [by, comment] = [&step.created_by, &step.comment].map(text);
        rows.push([MISSING.to_owned(), created, by, of_data(size), comment]);
    }
    // Not every program that makes images writes down what it has done.
    for layer in layers {
        let size = of_data(size::of_layer(store, layer));
        let none = || NONE.to_owned();
        rows.push([MISSING.to_owned(), ago(None), none(), size, String::new()]);
    }
    if let Some(last) = rows.last_mut() {
        last[0] = match options.no_trunc {
            true => image.id.to_string(),
            false => image.id.short(),
        };
    }
    rows.reverse();
    rows
}
// ANCHOR_END: rows

// ANCHOR: shortened
/// Anybody may have written this `text`: into one line, and unless `whole` is asked for, not too much of it.
fn shortened(text: &str, whole: bool) -> String {
    let line = escaped(&text.replace('\t', " ")).replace('\n', "\\n");
    match whole || line.chars().count() <= ENOUGH {
        true => line,
        false => line.chars().take(ENOUGH - 1).chain(['…']).collect(),
    }
}
// ANCHOR_END: shortened

fn print(options: &images::History, rows: Vec<[String; 5]>) -> Result<u8> {
    const HEADINGS: [&str; 5] = ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"];
    let text: String = match options.quiet {
        true => rows.iter().map(|row| format!("{}\n", row[0])).collect(),
        false => table(HEADINGS, rows),
    };
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot print")?;
    Ok(0)
}
