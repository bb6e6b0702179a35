//! `images`: lists the images, one line for each name.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use crate::cli::images::List;
use crate::failure::escaped_json;
use crate::image::keep::{Kept, all, size};
use crate::image::name::Name;
use crate::image::store::{Image, Store};
use crate::ps::table::{Format, table};
use crate::signals;
use crate::stats::size::of_data;

/// What is known about a name.
type Row = [String; 6];

/// What stands for a name that an image does not have.
pub const NONE: &str = "<none>";

// ANCHOR: list
/// Prints the images that the `options` ask for, the newest first.
pub fn list(options: &List, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    let wanted = options.name.as_deref().map(Wanted::read).transpose();
    let wanted = wanted.context("cannot list images")?;
    let Some(store) = Store::existing(state)? else {
        return print(options, Vec::new());
    };
    let mut images = all(&store)?;
    if let Some(wanted) = wanted {
        for image in &mut images {
            let is_wanted = |name: &Name| wanted.is(name);
            image
                .entries
                .retain(|entry| entry.name.as_ref().is_some_and(is_wanted));
        }
        images.retain(|image| !image.entries.is_empty());
    }
    if options.quiet {
        return print(options, rows(&images, options, |_| 0));
    }
    size::measure(&store, images.iter().flat_map(|image| &image.chain))?;
    let size = |image: &Kept| size::of(&store, &image.chain);
    print(options, rows(&images, options, size))
}
// ANCHOR_END: list

fn rows(images: &[Kept], options: &List, size: impl Fn(&Kept) -> u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for image in images {
        let size = size(image);
        let lines = image.lines().iter();
        rows.extend(lines.map(|entry| row(image, entry, size, options)));
    }
    rows
}

fn row(image: &Kept, entry: &Image, size: u64, options: &List) -> Row {
    let [repository, tag] = repository_and_tag(entry);
    let id = match options.no_trunc {
        true => image.id.to_string(),
        false => image.id.short(),
    };
    let digest = entry.descriptor.digest.to_string();
    [repository, tag, digest, id, image.age(), of_data(size)]
}

/// The first two columns of each table of images.
pub fn repository_and_tag(entry: &Image) -> [String; 2] {
    let none = || NONE.to_owned();
    let Some(name) = &entry.name else {
        return [none(), none()];
    };
    // A name with a digest says which image it is without its tag, which may mean another one by now.
    let tag = name.tag.clone().filter(|_| name.digest.is_none());
    [name.familiar_repository(), tag.unwrap_or_else(none)]
}

fn print(options: &List, rows: Vec<Row>) -> Result<u8> {
    const HEADINGS: [&str; 6] = ["REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE"];
    let text = match options.format {
        _ if options.quiet => rows.iter().map(|row| format!("{}\n", row[3])).collect(),
        Format::Json => rows.into_iter().map(json).collect(),
        Format::Table if options.digests => table(HEADINGS, rows),
        Format::Table => {
            let without_digest = |row: Row| {
                let [repository, tag, _, id, age, size] = row;
                [repository, tag, id, age, size]
            };
            let [repository, tag, _, id, age, size] = HEADINGS;
            let headings = [repository, tag, id, age, size];
            table(headings, rows.into_iter().map(without_digest).collect())
        }
    };
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot print")?;
    Ok(0)
}

/// A line, with Docker's names.
fn json(row: Row) -> String {
    let [repository, tag, digest, id, age, size] = row;
    let line = json!({
        "Repository": repository, "Tag": tag, "Digest": digest, "ID": id, "CreatedSince": age, "Size": size,
    });
    escaped_json(&format!("{line}\n"))
}

/// Which names to list.
struct Wanted {
    name: Name,
    /// Otherwise, every tag of the repository.
    exactly: bool,
}

impl Wanted {
    fn read(text: &str) -> Result<Self> {
        let name = text.parse()?;
        let last = text.rsplit('/').next().unwrap_or(text);
        let exactly = last.contains([':', '@']);
        Ok(Self { name, exactly })
    }

    fn is(&self, name: &Name) -> bool {
        match self.exactly {
            true => name.canonical() == self.name.canonical(),
            false => name.canonical_repository() == self.name.canonical_repository(),
        }
    }
}
