//! The same day's commands, typed into Docker's engine and into this program.
//!
//! What Docker said is in tests/session/docker-*.txt, where `.ci/record-docker-session` has put it. Whatever we say
//! in another way is in tests/session/differences.md, with the reason.

use std::fs::{self, File};
use std::process::Command;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Seen, TINY_DOCKER, leave_to, state};
use crate::users::can_be_somebody_else;

const COMMANDS: &str = include_str!("../session/commands.sh");
const RECORDED: &str = include_str!("../session/docker-20.10.24.txt");
const DIFFERENCES: &str = include_str!("../session/differences.md");
const TYPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/session/type.sh");

/// Here Docker's exit code was a mistake, which later versions do not make: moby/moby, issue 45795.
const MISTAKEN: &str = "$D exec web no-such-command";

/// A command, and what came of it: what it printed, errors behind "! ", and its exit code behind "= ".
struct Typed {
    command: String,
    lines: Vec<String>,
}

impl Typed {
    fn code(&self) -> &str {
        let code = self.lines.last().and_then(|line| line.strip_prefix("= "));
        code.unwrap_or("0")
    }

    fn without_errors(&self) -> Vec<&String> {
        let lines = self.lines.iter();
        lines.filter(|line| !line.starts_with('!')).collect()
    }

    /// The first line about what went wrong, if it is from the program itself.
    fn error(&self) -> Option<&str> {
        let mut errors = self.lines.iter().filter_map(|line| line.strip_prefix("! "));
        let ours =
            |error: &&str| error.starts_with("tiny-docker: ") || error.starts_with("error: ");
        errors.next().filter(ours)
    }
}

fn transcript(text: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push(Typed {
                command: command.to_owned(),
                lines: Vec::new(),
            }),
            (None, Some(typed)) => typed.lines.push(without_chance(line)),
            (None, None) => assert!(line.starts_with('#'), "{line}"),
        }
    }
    all
}

/// A line of output without what is another each time: ids, ages, sizes, and the blanks that fill a column.
fn without_chance(line: &str) -> String {
    let mut cells: Vec<_> = line.split("   ").map(str::trim).collect();
    cells.retain(|cell| !cell.is_empty());
    let cells: Vec<_> = cells.into_iter().map(cell_without_chance).collect();
    cells.join("   ")
}

fn cell_without_chance(cell: &str) -> String {
    let cell = cell.replace("Less than a second", "0 seconds");
    let cell = cell.replace("About a minute", "60 seconds");
    let mut words: Vec<String> = cell.split(' ').map(str::to_owned).collect();
    for n in 0..words.len() {
        let word = words[n].trim_matches(['"', '(', ')', '.', ',', ':']);
        if [12, 64].contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            words[n] = words[n].replace(word, "ID");
        } else if ["second", "seconds"].contains(&word) && n > 0 {
            words[n - 1] = "some".to_owned();
            words[n] = "seconds".to_owned();
        } else if is_size(word) {
            words[n] = words[n].replace(word, "SIZE");
        }
    }
    words.join(" ")
}

/// As 12.5MiB, 0B, or 0.00%.
fn is_size(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let units = ["B", "kB", "KiB", "MB", "MiB", "GB", "GiB", "%"];
    unit.len() < word.len() && units.contains(&unit)
}

/// How our lines differ from Docker's, if they do: as diff(1) would show it.
fn difference(theirs: &Typed, ours: &Typed) -> Option<String> {
    let (a, b) = (&theirs.lines[..], &ours.lines[..]);
    if a == b {
        return None;
    }
    let same = |(a, b): &(&String, &String)| a == b;
    let head = a.iter().zip(b).take_while(same).count();
    let reversed = a[head..].iter().rev().zip(b[head..].iter().rev());
    let tail = reversed.take_while(same).count();
    let marked = |mark: char, lines: &[String]| {
        let lines = lines.iter().map(|line| format!("{mark}{line}\n"));
        lines.collect::<String>()
    };
    let parts = [
        format!(" $ {}\n", ours.command),
        marked(' ', &a[..head]),
        marked('-', &a[head..a.len() - tail]),
        marked('+', &b[head..b.len() - tail]),
        marked(' ', &a[a.len() - tail..]),
    ];
    Some(parts.concat())
}

/// Those that the book gives reasons for.
fn listed() -> Vec<String> {
    let fences = DIFFERENCES.split("```diff\n $ ").skip(1);
    let inside = fences.map(|text| text.split("```").next().unwrap().trim_end());
    let commands = inside.flat_map(|fence| fence.split("\n $ "));
    commands.map(|text| format!(" $ {text}\n")).collect()
}

/// The commands of the session, and whether this user can type them.
fn commands() -> Vec<(&'static str, bool)> {
    let mut all = Vec::new();
    for paragraph in COMMANDS.split("\n\n") {
        let root = geteuid().is_root() || !paragraph.contains("(needs root)");
        let ids = can_be_somebody_else() || !paragraph.contains("(needs ids)");
        let lines = paragraph.lines().filter(|line| !line.starts_with('#'));
        all.extend(lines.map(|line| (line, root && ids)));
    }
    all
}

/// Types the `commands` into this program.
fn typed(commands: &str) -> Vec<Typed> {
    let directory = TempDir::new().unwrap();
    let session = directory.path().join("session");
    fs::write(&session, commands).unwrap();
    let here = directory.path().join("here");
    fs::create_dir(&here).unwrap();
    let mut sh = Command::new("sh");
    sh.arg(TYPE).stdin(File::open(session).unwrap());
    sh.envs([("D", TINY_DOCKER), ("IMAGE", ""), ("CONTAINER", "")]);
    sh.env("TINY_DOCKER_ROOT", state()).env("LC_ALL", "C");
    let seen: Seen = sh.current_dir(&here).output().unwrap().into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    transcript(&seen.stdout)
}

#[test]
fn a_day_in_docker_is_a_day_here() {
    need_namespaces!();
    let mut theirs = transcript(RECORDED);
    let recorded = theirs.iter().map(|typed| typed.command.as_str());
    let commands = commands();
    assert!(
        recorded.eq(commands.iter().map(|(command, _)| *command)),
        "run .ci/record-docker-session"
    );
    let mut can = commands.iter().map(|(_, can)| *can);
    theirs.retain(|_| can.next().unwrap());
    let session: String = theirs
        .iter()
        .map(|typed| format!("{}\n", typed.command))
        .collect();
    let ours = typed(&session);
    assert_eq!(ours.len(), theirs.len());

    let (mut listed, mut wrong, mut errors) = (listed(), String::new(), String::new());
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let Some(difference) = difference(theirs, ours) else {
            continue;
        };
        let is_listed = listed.iter().position(|listed| *listed == difference);
        let in_our_words = theirs.without_errors() == ours.without_errors();
        if theirs.code() != ours.code() && ours.command != MISTAKEN {
            wrong += &difference;
        } else if let Some(n) = is_listed {
            listed.remove(n);
        } else if let Some(error) = ours.error().filter(|_| in_our_words) {
            errors += &format!("{}: {error}\n", ours.command);
        } else {
            wrong += &difference;
        }
    }
    assert!(
        wrong.is_empty(),
        "not as in Docker, and not in differences.md:\n{wrong}"
    );
    if theirs.len() < commands.len() {
        let left = commands.len() - theirs.len();
        return leave_to(&format!(
            "root, or ids of other users, for {left} of the commands"
        ));
    }
    assert!(
        listed.is_empty(),
        "in differences.md, but as in Docker:\n{}",
        listed.concat()
    );
    assert_snapshot!(errors, @"");
}
