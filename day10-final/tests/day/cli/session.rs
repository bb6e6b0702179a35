//! The same day's commands, typed into Docker's engine and into this program.
//!
//! What Docker printed is in tests/session/docker-*.txt, where `.ci/record-docker-session` has put it. Every difference
//! is in tests/session/differences.md, with the reason.

use std::fs::{self, File};
use std::process::Command;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{Seen, TINY_DOCKER, leave_to, shell, state};

const COMMANDS: &str = include_str!("../../session/commands.sh");
const RECORDED: &str = include_str!("../../session/docker-20.10.24.txt");
const DIFFERENCES: &str = include_str!("../../session/differences.md");
const TYPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/session/type.sh");

/// Here, Docker's exit code was a mistake, which later versions do not make: moby/moby, issue 45795.
const MISTAKEN: &str = "$D exec web no-such-command";

/// A command and its result: what it printed, with "! " before errors, and "= " before its exit code.
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
        errors.find(ours)
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
            // On a busy machine, commands wait for each other, and say so.
            (None, Some(_)) if line.starts_with("! tiny-docker: waiting for ") => (),
            (None, Some(typed)) => typed.lines.push(without_chance(line)),
            (None, None) => assert!(line.starts_with('#'), "{line}"),
        }
    }
    all
}

/// A line of output without what differs each time: ids, ages, sizes, and the blanks that fill a column.
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
        let word = word.strip_prefix("sha256:").unwrap_or(word);
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

/// For example 12.5MiB, 0B, or 0.00%.
fn is_size(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let units = ["B", "kB", "KiB", "MB", "MiB", "GB", "GiB", "%"];
    unit.len() < word.len() && units.contains(&unit)
}

/// How our lines differ from Docker's, as diff(1) would show it. None if they do not.
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

/// The differences that have a reason.
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
    let import = "tar -C $TINY_DOCKER_ROOT/rootfs/default -c . | $TD import - default";
    assert_eq!(shell(import).code, Some(0));
    let mut sh = Command::new("sh");
    sh.arg(TYPE).stdin(File::open(session).unwrap());
    sh.envs([("D", TINY_DOCKER), ("IMAGE", "default"), ("CONTAINER", "")]);
    sh.env("TINY_DOCKER_ROOT", state()).env("LC_ALL", "C");
    let seen: Seen = sh.current_dir(&here).output().unwrap().into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    transcript(&seen.stdout)
}

/// The result of the comparison.
struct Compared {
    /// Differences without a reason.
    wrong: String,
    /// What failed on both sides, in our words.
    errors: String,
    /// Differences that no longer exist.
    gone: Vec<String>,
}

fn compare(theirs: &[Typed], ours: &[Typed]) -> Compared {
    let (mut wrong, mut errors, mut gone) = (String::new(), String::new(), listed());
    for (theirs, ours) in theirs.iter().zip(ours) {
        let Some(difference) = difference(theirs, ours) else {
            continue;
        };
        let is_listed = gone.iter().position(|listed| *listed == difference);
        let in_our_words = theirs.without_errors() == ours.without_errors();
        if theirs.code() != ours.code() && ours.command != MISTAKEN {
            wrong += &difference;
        } else if let Some(n) = is_listed {
            gone.remove(n);
        } else if let Some(error) = ours.error().filter(|_| in_our_words) {
            errors += &format!("{}\n    {error}\n", ours.command);
        } else {
            wrong += &difference;
        }
    }
    Compared {
        wrong,
        errors,
        gone,
    }
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
    let session = theirs.iter().map(|typed| typed.command.clone() + "\n");
    let ours = typed(&session.collect::<String>());
    assert_eq!(ours.len(), theirs.len());

    let Compared {
        wrong,
        errors,
        gone,
    } = compare(&theirs, &ours);
    assert!(
        wrong.is_empty(),
        "not as in Docker, and not in differences.md:\n{wrong}"
    );
    let left = commands.len() - theirs.len();
    if left > 0 {
        let who = format!("root, or ids of other users, for {left} of the commands");
        return leave_to(&who);
    }
    let gone = gone.concat();
    assert!(
        gone.is_empty(),
        "in differences.md, but as in Docker:\n{gone}"
    );
    assert_snapshot!(errors, @"
    $D run --rm $IMAGE no-such-command
        tiny-docker: cannot run no-such-command: not found in PATH
    $D run --rm $IMAGE /etc/passwd
        tiny-docker: cannot run /etc/passwd: EACCES: Permission denied
    echo hello | $D run --rm -it $IMAGE cat
        tiny-docker: cannot use -t: the input device is not a TTY
    $D run --rm --env-file no-such-file $IMAGE true
        tiny-docker: cannot read no-such-file: No such file or directory (os error 2)
    $D run --rm -u no-such-user $IMAGE true
        tiny-docker: no user no-such-user in the container's /etc/passwd
    $D run --name web $IMAGE true
        tiny-docker: the name web is already in use by ID
    $D rm web
        tiny-docker: cannot remove web: it is running
    $D exec web true
        tiny-docker: cannot run a command in web: it is not running
    $D kill sleeper
        tiny-docker: cannot kill sleeper: it is not running
    $D kill -s NOPE stubborn
        tiny-docker: no such signal: NOPE
    $D rm job no-such-container sleeper
        tiny-docker: cannot remove no-such-container: no such container
    $D stop nope
        tiny-docker: cannot stop nope: no such container
    $D kill nope
        tiny-docker: cannot kill nope: no such container
    $D rm nope
        tiny-docker: cannot remove nope: no such container
    $D rm -f nope
        tiny-docker: cannot remove nope: no such container
    $D logs nope
        tiny-docker: cannot show the log of nope: no such container
    $D wait nope
        tiny-docker: cannot wait for nope: no such container
    $D exec nope true
        tiny-docker: cannot run a command in nope: no such container
    $D inspect nope
        tiny-docker: cannot inspect nope: no such container or image
    $D nope
        error: unrecognized subcommand 'nope'
    $D ps --nope
        error: unexpected argument '--nope' found
    $D run --nope $IMAGE true
        error: unexpected argument '--nope' found
    $D rm
        error: the following required arguments were not provided:
    $D run --name 'not legal' $IMAGE true
        error: invalid value 'not legal' for '--name <NAME>': expected two or more letters, digits, '_', '.' or '-', starting with a letter or digit
    $D run --rm -v data:relative $IMAGE true
        error: invalid value 'data:relative' for '--volume <HOST:CONTAINER[:ro]>': named volumes are not supported; for a directory, use ./data
    $D run --rm --name late -p 127.0.0.1:8080:80 $IMAGE true
        tiny-docker: cannot publish port 8080: Address already in use (os error 98)
    $D run --rm --memory 1k $IMAGE true
        error: invalid value '1k' for '--memory <SIZE>': a container needs at least 6m
    $D run --rm --memory lots $IMAGE true
        error: invalid value 'lots' for '--memory <SIZE>': expected a number, optionally followed by b, k, m or g
    $D run --name missing $IMAGE no-such-command
        tiny-docker: cannot run no-such-command: not found in PATH
    $D tag no-such-image other
        tiny-docker: cannot tag no-such-image as other: no such image
    $D tag $IMAGE 'not legal'
        tiny-docker: cannot tag default as not legal: 'not legal' is not an image's name: a repository consists of a-z and 0-9, with . _ or - between them
    $D rmi other:2 no-such-image localhost:5000/team/other:3
        tiny-docker: cannot remove no-such-image: no such image
    $D rmi -f no-such-image
        tiny-docker: cannot remove no-such-image: no such image
    $D history no-such-image
        tiny-docker: cannot show the history of no-such-image: no such image
    $D run --rm no-such-registry.invalid/no/such:image
        tiny-docker: cannot pull no-such-registry.invalid/no/such:image: cannot find the host no-such-registry.invalid
    $D run --rm NotLegal true
        tiny-docker: cannot run NotLegal: 'NotLegal' is not an image's name: a repository cannot have capital letters
    $D run --rm --pull never made:1
        tiny-docker: cannot run made:1: there is no image made:1
    $D save no-such-image >/dev/null
        tiny-docker: cannot save no-such-image: no such image
    $D load -i no-such-file
        tiny-docker: cannot load no-such-file: No such file or directory (os error 2)
    $D rmi made:1
        tiny-docker: cannot remove made:1: conflict: container ID is using its referenced image ID
    $D rmi $($D images -q made:1)
        tiny-docker: cannot remove ID: conflict: stopped container ID is using its referenced image ID
    $D rmi -f $($D images -q made:1)
        tiny-docker: cannot remove ID: conflict: running container ID is using its referenced image ID
    ");
}
