//! Runs the ```` ```console ```` blocks of the book, and compares what comes back with what the chapter prints.
//!
//! A chapter's blocks run in one bash, which starts in the repository's root; those that need root, in another one:
//! - `$ command`, continued by `> ` lines
//! - `# ` lines right after it: what is typed into the command
//! - all else: what it prints, where `…` stands for anything, and as a line of its own for any lines
//! - ```` ```console,needs-strace ````: only where that program is installed (or `needs-root`, or `needs-limits`)
//!
//! What a page hides in a comment may check more than the page says, and tidy up. The reader must do without.

use std::fs;
use std::iter;
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::thread;

use proofs::{built, read, root, run};

mod names;
mod page;
mod scope;
mod session;

use page::{Block, parse};
use session::{LIMIT, check};

/// Who follows a page: whoever we are, so root follows all of it, and others what needs no root.
#[derive(Clone, Copy)]
struct Reader {
    /// Whether they type what the page hides.
    hidden: bool,
    /// Whether they unfold what is folded.
    folds: bool,
}

/// Somebody who leaves nothing out, and types more than the page shows.
const EVERYTHING: [Reader; 1] = [Reader {
    hidden: true,
    folds: true,
}];

/// Those who have nothing but the page.
const NOTHING_ELSE: [Reader; 2] = [
    Reader {
        hidden: false,
        folds: false,
    },
    Reader {
        hidden: false,
        folds: true,
    },
];

#[test]
fn the_chapters_print_what_their_commands_print() {
    follow(&EVERYTHING, Pages::Days);
}

#[test]
fn a_reader_who_has_nothing_but_the_page_sees_what_it_prints() {
    follow(&NOTHING_ELSE, Pages::Days);
}

#[test]
#[ignore = "builds all the parts: cargo test -p proofs -- --ignored"]
fn the_parts_print_what_their_commands_print() {
    follow(&EVERYTHING, Pages::Parts);
}

#[test]
#[ignore = "builds all the parts: cargo test -p proofs -- --ignored"]
fn a_reader_who_has_nothing_but_the_page_sees_what_a_part_prints() {
    follow(&NOTHING_ELSE, Pages::Parts);
}

#[test]
fn each_page_defines_the_names_that_it_uses() {
    let pages: Vec<_> = pages().collect::<Result<_, _>>().unwrap();
    let commands = pages
        .iter()
        .flat_map(|(_, blocks)| scope::commands(blocks))
        .collect();
    let problems = pages
        .iter()
        .flat_map(|(_, blocks)| scope::check(blocks, &commands));
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "\n\n{}\n", problems.join("\n"));
}

#[test]
fn what_is_typed_into_a_command_ends_it() {
    for page in pages() {
        let (_, blocks) = page.unwrap();
        for step in blocks
            .iter()
            .filter(|block| !block.shown)
            .flat_map(|block| &block.steps)
        {
            let typed = step.typed.trim_end();
            assert!(
                typed.is_empty() || typed.ends_with("exit"),
                "{}: no `# exit`",
                step.place
            );
        }
    }
}

#[test]
fn each_page_says_how_to_become_root_before_it_needs_that() {
    for page in pages() {
        let (chapter, blocks) = page.unwrap();
        let Some(first) = blocks.iter().find(|block| block.as_root() && !block.hidden) else {
            continue;
        };
        let text = read(&root().join("book/src").join(&chapter));
        let line = first.place.rsplit(':').next().unwrap().parse().unwrap();
        let mut before = text.lines().take(line);
        let sudo = before.any(|line| line.starts_with("sudo ") && line.ends_with(" bash"));
        assert!(sudo, "{}: no `sudo … bash` before it", first.place);
    }
}

/// The pages of the book that have terminal sessions. `CHAPTERS=day05,parts/power` takes only these.
fn pages() -> impl Iterator<Item = Result<(String, Vec<Block>), String>> {
    let book = root().join("book/src");
    let chosen = std::env::var("CHAPTERS");
    let mut chapters = proofs::names(&book);
    let parts = proofs::names(&book.join("parts"));
    chapters.extend(parts.iter().map(|name| format!("parts/{name}")));
    chapters.retain(|name| {
        let name = name.strip_suffix(".md");
        name.is_some_and(|name| {
            chosen
                .iter()
                .all(|all| all.split(',').any(|one| one == name))
        })
    });
    chapters.into_iter().map(move |chapter| {
        let blocks = parse(&chapter, &read(&book.join(&chapter)))?;
        Ok((chapter, blocks))
    })
}

/// Which pages to follow: those of the days, or those of the parts of day 10.
#[derive(Clone, Copy, PartialEq)]
enum Pages {
    Days,
    Parts,
}

/// How many sessions at the same time.
const AT_ONCE: usize = 16;

/// Has readers follow all of `these` pages, one reader after the other.
fn follow(readers: &[Reader], these: Pages) {
    // Two that are busy on one machine would see each other's processes, as two people would.
    static MACHINE: Mutex<()> = Mutex::new(());
    let machine = MACHINE.lock();
    let mut pages: Vec<_> = pages().collect::<Result<_, _>>().unwrap();
    pages.retain(|(chapter, _)| chapter.starts_with("parts/") == (these == Pages::Parts));
    build(these == Pages::Parts);
    let mut typed: Vec<Vec<Block>> = Vec::new();
    let mut failures = Vec::new();
    for reader in readers {
        let mut runs = Vec::new();
        for (chapter, blocks) in &pages {
            for run in sessions(blocks, *reader) {
                if !typed.contains(&run) {
                    typed.push(run.clone());
                    runs.push((chapter, run));
                }
            }
        }
        // Side by side: most of a chapter's time is waiting. But not all of them: a page may allow half a second for something.
        let waiting = Mutex::new(runs.into_iter());
        let next = || waiting.lock().unwrap().next();
        let check_some =
            || iter::from_fn(next).flat_map(|(chapter, run)| check(chapter, run, LIMIT));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE)
                .map(|_| scope.spawn(|| check_some().collect::<Vec<_>>()))
                .collect();
            failures.extend(
                workers
                    .into_iter()
                    .flat_map(|worker| worker.join().unwrap()),
            );
        });
    }
    drop(machine);
    assert!(failures.is_empty(), "\n\n{}\n", failures.join("\n\n"));
}

/// What a reader types: into a shell of their own, and into root's.
fn sessions(blocks: &[Block], reader: Reader) -> Vec<Vec<Block>> {
    let mut sessions = [Vec::new(), Vec::new()];
    for block in blocks {
        let seen = (reader.hidden || !block.hidden) && (reader.folds || block.fold.is_none());
        if seen && !block.shown {
            sessions[usize::from(block.as_root())].push(block.clone());
        }
    }
    Vec::from(sessions)
}

/// Makes the programs those of the sources as they are now: somebody may be in the middle of an exercise.
fn build(with_parts: bool) {
    static BUILT: LazyLock<Result<(), String>> = LazyLock::new(|| {
        let Some(cargo) = std::env::var_os("CARGO") else {
            return Ok(()); // whoever starts us without cargo has built them
        };
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--workspace", "--target-dir"]);
        build.arg(built().parent().unwrap()).current_dir(root());
        if built().ends_with("release") {
            build.arg("--release");
        }
        let (done, said) = run(&mut build);
        let problem = "the days do not build: finish your change, or put it aside with `git stash`";
        done.then_some(()).ok_or(format!("{problem}\n\n{said}"))
    });
    if let Err(problem) = &*BUILT {
        panic!("{problem}");
    }
    static PARTS: LazyLock<Result<(), String>> = LazyLock::new(|| {
        let at = |arguments: &[&str]| {
            let (done, said) = run(Command::new(root().join("book/parts/at")).args(arguments));
            done.then_some(()).ok_or(said)
        };
        let parts = proofs::parts();
        let mut numbers: Vec<_> = parts.iter().map(|part| &part[..2]).collect();
        at(&[&["-n"], &numbers[..]].concat())?;
        numbers.retain(|number| !was_built(number));
        if numbers.is_empty() {
            return Ok(());
        }
        at(&numbers)
    });
    if with_parts && std::env::var_os("CARGO").is_some() {
        let built = PARTS.as_ref();
        built.unwrap_or_else(|said| panic!("the parts of day 10 do not build:\n\n{said}"));
    }
}

/// Takes a part's program from the proof of the exercises, if that has built it from the same source.
fn was_built(part: &str) -> bool {
    let [there, here] = [proofs::sandbox(), root()].map(|place| proofs::place(&place, part));
    let source = |place: &Path| fs::read(place.join(".stamp")).ok();
    source(&there) == source(&here)
        && proofs::put_program(&there.join("tiny-docker"), &here.join("tiny-docker")).is_ok()
}
