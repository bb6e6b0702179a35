//! What a reader of the book in a browser relies on, as far as the pages' sources show it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proofs::{names, read, root};

fn book() -> PathBuf {
    root().join("book/src")
}

/// Each page's name, and its text without code blocks and comments.
fn pages() -> Vec<(String, String)> {
    let mut pages = names(&book());
    for folder in ["parts", "whole"] {
        let names = names(&book().join(folder)).into_iter();
        pages.extend(names.map(|name| format!("{folder}/{name}")));
    }
    pages.retain(|name| name.ends_with(".md") && name != "SUMMARY.md");
    let prose = |name: String| {
        let text = prose(&read(&book().join(&name)));
        (name, text)
    };
    pages.into_iter().map(prose).collect()
}

fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut hidden = false;
    let mut prose = String::new();
    for line in page.lines() {
        let fence = line.starts_with("```");
        hidden |= line.starts_with("<!--");
        if !fenced && !fence && !hidden {
            prose.push_str(line);
            prose.push('\n');
        }
        fenced ^= fence;
        hidden &= !line.ends_with("-->");
    }
    prose
}

/// Where a link leads from a page that may be in a folder: `../day03.md`, from `parts/power.md`.
fn beside(page: &str, link: &str) -> String {
    let folder = page.rsplit_once('/').map(|(folder, _)| folder);
    match (folder, link.strip_prefix("../")) {
        (Some(_), Some(above)) => above.to_owned(),
        (Some(folder), None) => format!("{folder}/{link}"),
        (None, _) => link.to_owned(),
    }
}

/// What stands between two marks, each time.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let parts = text.split(begin).skip(1);
    parts.filter_map(|part| part.split(end).next()).collect()
}

/// The addresses of a page's headings, as mdBook makes them out of their text.
fn headings(page: &str) -> BTreeSet<String> {
    let heading = |line: &str| {
        let text = line.strip_prefix('#')?.trim_start_matches('#').trim();
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        Some(text.to_lowercase().chars().filter(kept).collect())
    };
    let headings = page.lines().filter_map(heading);
    headings
        .map(|text: String| text.replace(' ', "-"))
        .collect()
}

#[test]
fn the_summary_has_the_pages_own_titles() {
    let summary = read(&book().join("SUMMARY.md"));
    for (name, page) in pages() {
        let title = page.lines().find_map(|line| line.strip_prefix("# "));
        let link = format!("[{}]({name})", title.unwrap_or_default());
        assert!(summary.contains(&link), "SUMMARY.md has no {link}");
    }
}

#[test]
fn a_folded_text_is_named_after_what_it_is_about() {
    for (name, page) in pages() {
        let mut folds = BTreeSet::new();
        for fold in between(&page, "<summary>", "</summary>") {
            let says_little = ["Answer", "Solution", "Hint"].contains(&fold);
            assert!(!says_little, "{name}: a fold is called only {fold}");
            assert!(folds.insert(fold), "{name}: two folds are called {fold}");
        }
    }
}

#[test]
fn a_link_leads_to_a_page_and_to_a_heading_of_it() {
    let pages = pages();
    for (name, page) in &pages {
        for link in between(page, "](", ")") {
            if link.contains("://") {
                continue;
            }
            let (to, heading) = link.split_once('#').unwrap_or((link, ""));
            let to = if to.is_empty() {
                name.clone()
            } else {
                beside(name, to)
            };
            let found = pages.iter().find(|(name, _)| *name == to);
            let (_, page) = found.unwrap_or_else(|| panic!("{name}: {link} leads to no page"));
            let there = heading.is_empty() || headings(page).contains(heading);
            assert!(there, "{name}: {link} leads to no heading");
        }
    }
}

#[test]
fn what_a_page_includes_is_there() {
    for (name, _) in pages() {
        let page = read(&book().join(&name));
        for include in between(&page, "{{#include ", "}}") {
            let (file, anchor) = include.split_once(':').unwrap_or((include, ""));
            let text = read(&book().join(&name).parent().unwrap().join(file));
            let whole = !file.ends_with(".rs") || !text.contains("ANCHOR");
            let mark = format!(" ANCHOR: {anchor}");
            let is_mark = |line: &str| line.trim_end_matches(" -->").ends_with(&mark);
            let part = text.lines().any(is_mark);
            let good = if anchor.is_empty() { whole } else { part };
            assert!(good, "{name}: {include}: no such part, or with its anchors");
        }
    }
}

#[test]
fn what_a_session_needs_has_a_badge() {
    let look = read(&root().join("book/look.css"));
    for (name, _) in pages() {
        let page = read(&book().join(&name));
        for kind in between(&page, "```console,", "\n") {
            for need in kind.split(',') {
                let need = need.trim().strip_prefix("needs-").unwrap_or(need);
                let badge = format!("code.needs-{need} {{ --{need}: ");
                let shown = look.contains(&badge) && look.contains(&format!("var(--{need}, \"\")"));
                assert!(shown, "{name}: look.css has no badge for needs-{need}");
            }
        }
    }
}

#[test]
fn nothing_waits_to_be_filled_in() {
    for (name, prose) in pages() {
        let page = read(&book().join(&name));
        // In a session, it is the name of a column.
        assert!(!prose.contains("REPOSITORY"), "{name} has REPOSITORY");
        for placeholder in ["TODO", "FIXME"] {
            assert!(!page.contains(placeholder), "{name} has {placeholder}");
        }
    }
}

#[test]
fn the_readme_knows_how_much_code_there_is() {
    let readme = read(&root().join("README.md"));
    let (files, lines) = size(&root().join("day10-final/src"));
    for (said, is) in [(" lines of Rust", lines), (" files, all in `day10", files)] {
        let before = readme.split(said).next().unwrap_or_default();
        let number = before.rsplit(' ').next().unwrap_or_default();
        let number: usize = number.replace(',', "").parse().unwrap_or(0);
        let near = number * 20 >= is * 19 && number * 20 <= is * 21;
        assert!(near, "README.md: {number}{said}…: there are {is}");
    }
}

/// How many files are below a directory, and how many lines they have.
fn size(directory: &Path) -> (usize, usize) {
    let mut sum = (0, 0);
    for name in names(directory) {
        let path = directory.join(name);
        let (files, lines) = if path.is_dir() {
            size(&path)
        } else {
            (1, read(&path).lines().count())
        };
        sum = (sum.0 + files, sum.1 + lines);
    }
    sum
}
