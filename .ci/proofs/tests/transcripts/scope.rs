//! Each command uses only what the reader's shell knows by then: what a command that they have seen has defined.

use crate::names::Name::{self, Defines, Uses};
use crate::names::names;
use crate::page::Block;
use std::collections::BTreeSet;

/// What each shell knows.
const KNOWN: [&str; 7] = [
    "$PWD", "$HOME", "$PATH", "$USER", "$TERM", "$PPID", "$BASHPID",
];

/// What is wrong with the names of a page. `commands` are the functions and aliases of the book.
pub fn check(blocks: &[Block], commands: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for as_root in [false, true] {
        let blocks = blocks.iter().filter(|block| block.as_root() == as_root);
        let (hidden, seen): (Vec<_>, Vec<_>) = blocks.partition(|block| block.hidden);
        let shell = if as_root { "root shell" } else { "shell" };
        let (mut defined, mut used) = (Vec::new(), BTreeSet::new());
        for (block, place, name) in all(&seen) {
            match name {
                Defines(name) => defined.push((block, name)),
                Uses(name) if name.starts_with('$') || commands.contains(&name) => {
                    let has =
                        |(before, other): &(&Block, _)| *other == name && follows(block, before);
                    if !defined.iter().any(has) && !KNOWN.contains(&name.as_str()) {
                        problems.push(format!(
                            "{place}: the reader's {shell} does not know {name}"
                        ));
                    }
                    used.insert(name);
                }
                Uses(_) => {}
            }
        }
        for (_, place, name) in all(&hidden) {
            if let Defines(name) = name
                && used.contains(&name)
            {
                problems.push(format!(
                    "{place}: hidden, and defines {name}, which the reader uses"
                ));
            }
        }
    }
    problems
}

/// Whether everybody who types a block has typed another one: that is not folded away, and needs nothing more.
fn follows(block: &Block, before: &Block) -> bool {
    let unfolded = before.fold.is_none() || before.fold == block.fold;
    let mut needs = before.needs.iter();
    unfolded && (block.shown || needs.all(|needed| block.needs.contains(needed)))
}

/// All names of blocks, with their places.
fn all<'a>(blocks: &[&'a Block]) -> impl Iterator<Item = (&'a Block, &'a str, Name)> {
    let steps = blocks
        .iter()
        .flat_map(|block| block.steps.iter().map(move |step| (*block, step)));
    steps.flat_map(|(block, step)| {
        let names = names(&step.command).into_iter();
        names.map(move |name| (block, step.place.as_str(), name))
    })
}

/// The functions and aliases that a page defines, even where nobody sees it.
pub fn commands(blocks: &[Block]) -> BTreeSet<String> {
    let steps = blocks.iter().flat_map(|block| &block.steps);
    let names = steps.flat_map(|step| names(&step.command));
    let defined = names.filter_map(|name| match name {
        Defines(name) if !name.starts_with('$') => Some(name),
        _ => None,
    });
    defined.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::parse;

    fn said(page: &str) -> String {
        let blocks = parse("page.md", page).unwrap_or_default();
        check(&blocks, &commands(&blocks)).join("\n")
    }

    #[test]
    fn a_name_that_only_hidden_or_folded_commands_define_is_caught() {
        let hidden = "<!--\n```console\n$ alias a=b; c=d\n```\n-->\n";
        let fold = "<details>\n\n```console\n$ c=d\n$ echo $c\n```\n</details>\n";
        let block = |flags: &str, command: &str| format!("```console{flags}\n$ {command}\n```\n");
        assert_eq!(
            said(&(block("", "alias a=b; c=d") + &block("", "a $c"))),
            ""
        );
        assert_eq!(said(&(hidden.to_owned() + &block("", "true"))), "");
        assert_eq!(said(fold), "");
        for (page, problem) in [
            (block("", "a $HOME") + hidden, "know a"),
            (hidden.to_owned() + &block("", "echo $c"), "know $c"),
            (fold.to_owned() + &block("", "echo $c"), "know $c"),
            (
                block("", "c=d") + &block(",needs-root", "echo $c"),
                "know $c",
            ),
            (
                block(",needs-perl", "c=d") + &block("", "echo $c"),
                "know $c",
            ),
            (block("", "wait $!; sleep 1 &"), "know $!"),
            (block("", "echo $c; c=d"), "know $c"),
            (
                block("", "alias a=b") + &block("", "a") + hidden,
                "defines a, which",
            ),
        ] {
            assert!(said(&page).contains(problem), "{page}{}", said(&page));
        }
    }
}
