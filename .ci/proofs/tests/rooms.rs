//! The rooms of the source: where a file may be, how long it may be, and whom it may use.
//!
//! For whoever changes the days. A solved exercise may add a file that the README does not name: so these are ignored, and
//! .ci/run runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proofs::{days, names, read, root};

/// No file is longer than this.
const LINES: usize = 250;

/// A day's modules, such as `network::bridge`, and their text.
fn modules(day: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(&root().join(day).join("src"), "", &mut found);
    found
}

fn collect(directory: &Path, room: &str, found: &mut BTreeMap<String, String>) {
    for name in names(directory) {
        let path = directory.join(&name);
        if let Some(stem) = name.strip_suffix(".rs") {
            found.insert(format!("{room}{stem}"), read(&path));
        } else {
            collect(&path, &format!("{room}{name}::"), found);
        }
    }
}

#[test]
#[ignore = "for whoever changes the days"]
fn each_folder_has_a_file_of_its_name_and_no_file_is_long() {
    for day in days() {
        let modules = modules(&day);
        for (name, text) in &modules {
            // The marks are for the book.
            let lines = text.lines().filter(|line| !line.contains("// ANCHOR"));
            assert!(lines.count() <= LINES, "{day}: {name} is too long");
            if let Some((room, _)) = name.rsplit_once("::") {
                assert!(modules.contains_key(room), "{day}: {name} has no {room}.rs");
            }
        }
    }
}

#[test]
#[ignore = "for whoever changes the days"]
fn no_file_changes_its_place_from_one_day_to_the_next() {
    let days = days();
    for (before, after) in days.iter().zip(&days[1..]) {
        let (before, after) = (modules(before), modules(after));
        for gone in before.keys().filter(|name| !after.contains_key(*name)) {
            let name = |module: &str| module.rsplit("::").next().unwrap().to_owned();
            let moved = after.keys().find(|module| name(module) == name(gone));
            assert_eq!(moved, None, "{gone} has moved");
        }
    }
}

#[test]
#[ignore = "for whoever changes the days"]
fn the_readme_draws_the_source() {
    let readme = read(&root().join("README.md"));
    let (_, rest) = readme.split_once("<!-- ANCHOR: architecture -->").unwrap();
    let (drawing, _) = rest
        .split_once("<!-- ANCHOR_END: architecture -->")
        .unwrap();
    let mut drawn = BTreeSet::new();
    // `├── network   what it is about`, and below it `│   └── bridge, etc, …`, or another room
    let mut rooms: Vec<&str> = Vec::new();
    for line in drawing.lines() {
        let Some((indent, rest)) = line.split_once("── ") else {
            continue;
        };
        rooms.truncate(indent.chars().count() / 4);
        if let Some((room, _)) = rest.split_once("  ") {
            rooms.push(room);
            drawn.insert(rooms.join("::"));
        } else {
            let room = rooms.join("::");
            drawn.extend(rest.split(", ").map(|name| format!("{room}::{name}")));
        }
    }
    let written: BTreeSet<_> = modules(days().last().unwrap()).into_keys().collect();
    let missing: Vec<_> = written.difference(&drawn).collect();
    let too_many: Vec<_> = drawn.difference(&written).collect();
    assert_eq!(
        (missing, too_many),
        (vec![], vec![]),
        "(missing, not there)"
    );
}

/// The modules that each one uses, by their paths from `crate`.
fn uses(modules: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let used = |name: &str, text: &str| {
        let lines = text.lines().map(|line| line.split("//").next().unwrap());
        let (room, _) = name.rsplit_once("::").unwrap_or_default();
        // A unit test takes everything from its own file.
        let code = lines.collect::<String>().replace("super::*", "");
        let code = code.replace("super::", &format!("crate::{room}::"));
        let mut paths = Vec::new();
        for rest in code.split("crate::").skip(1) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
            let (path, rest) = rest.split_at(end.unwrap_or(rest.len()));
            // `use crate::{cgroup, state::store}`: each of these, too
            let group = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split('}').next());
            let inner = group.unwrap_or("").split([',', '{', ' ']);
            paths.push(path.to_owned());
            paths.extend(inner.map(|inner| format!("{path}{inner}")));
        }
        let module = |path: String| {
            let known = modules
                .keys()
                .filter(|module| path == **module || path.starts_with(&format!("{module}::")));
            known.max_by_key(|module| module.len())
        };
        let mut used: BTreeSet<&str> = BTreeSet::new();
        used.extend(paths.into_iter().filter_map(module).map(String::as_str));
        used.remove(name);
        used
    };
    let all = modules.iter();
    all.map(|(name, text)| (name.as_str(), used(name, text)))
        .collect()
}

/// Who uses each other, perhaps through others: each such circle, sorted.
fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<Vec<&'a str>> {
    let reached = |from: &'a str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            next.extend(uses[module].iter().filter(|used| seen.insert(**used)));
        }
        seen
    };
    let reached: BTreeMap<_, _> = uses.keys().map(|from| (*from, reached(from))).collect();
    let circle = |from: &&'a str| -> Vec<&'a str> {
        let back = |to: &&&str| reached[**to].contains(*from);
        reached[*from].iter().filter(back).copied().collect()
    };
    let circles = uses.keys().map(circle);
    circles.filter(|circle| circle.len() > 1).collect()
}

#[test]
#[ignore = "for whoever changes the days"]
fn arrows_point_down() {
    for day in days() {
        let modules = modules(&day);
        let circles = circles(&uses(&modules));
        // A circle that has to be has its reason in a comment.
        let unexplained = circles.iter().filter(|circle| {
            let explained = |name: &&&str| modules[**name].contains("// A circle: ");
            !circle.iter().any(|name| explained(&name))
        });
        assert_eq!(
            unexplained.collect::<Vec<_>>(),
            Vec::<&Vec<&str>>::new(),
            "{day}"
        );
    }
}

#[test]
fn a_circle_is_found() {
    let modules = [
        ("a", "use crate::{b, c::d};"),
        ("b", "crate::c::d::f()"),
        ("c", ""),
        ("c::d", "use crate::a;"),
        ("c::f", "use super::g; use super::*;"),
        ("c::g", "crate::c::f()"),
        ("e", "// crate::a"),
    ];
    let modules = modules
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    let found = circles(&uses(&modules));
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [vec!["a", "b", "c::d"], vec!["c::f", "c::g"]]
    );
}
