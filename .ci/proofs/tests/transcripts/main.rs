//! Runs the ```` ```console ```` blocks of the book, and compares what comes back with what the chapter prints.
//!
//! A chapter's blocks run in one bash, which starts in the repository's root; those that need root, in another one:
//! - `$ command`, continued by `> ` lines
//! - `# ` lines right after it: what is typed into the command
//! - all else: what it prints, where `…` stands for anything, and as a line of its own for any lines
//! - ```` ```console,needs-strace ````: only where that program is installed (or `needs-root`, or `needs-limits`)
//!
//! What a page hides in a comment may check more than the page says, and tidy up. The reader must do without.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use proofs::{built, can_have_namespaces, has, names, read, root, run, skip, tidy_up};
use tempfile::TempDir;

mod page;
mod scope;

use page::{Block, parse};

const LIMIT: Duration = Duration::from_secs(600);

/// Who follows a page.
#[derive(Clone, Copy)]
struct Reader {
    /// Whether they type what the page hides.
    hidden: bool,
    /// Whether they unfold what is folded.
    folds: bool,
    /// Whether they have a shell of their own, and one as root.
    shells: [bool; 2],
}

/// Knows nothing but the page, and types nothing that it hides: what we assert and tidy up.
const READER: Reader = Reader {
    hidden: false,
    folds: false,
    shells: [true; 2],
};

#[test]
fn the_chapters_print_what_their_commands_print() {
    follow(&[Reader {
        hidden: true,
        folds: true,
        ..READER
    }]);
}

/// Whom we are decides who types: an ordinary user the page, and root what the page wants typed as root.
#[test]
fn a_reader_who_has_nothing_but_the_page_sees_what_it_prints() {
    let shells = [!has("root"), has("root")];
    follow(&[false, true].map(|folds| Reader {
        folds,
        shells,
        ..READER
    }));
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

/// The pages of the book that have terminal sessions. `CHAPTERS=day05,setup` takes only these.
fn pages() -> impl Iterator<Item = Result<(String, Vec<Block>), String>> {
    let book = root().join("book/src");
    let chosen = std::env::var("CHAPTERS");
    let mut chapters = names(&book);
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

/// Has readers follow all the pages, one after the other.
fn follow(readers: &[Reader]) {
    // Two that are busy on one machine would see each other's processes, as two people would.
    static MACHINE: Mutex<()> = Mutex::new(());
    let machine = MACHINE.lock();
    build();
    let pages: Vec<_> = pages().collect::<Result<_, _>>().unwrap();
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
        // Side by side: most of a chapter's time is waiting.
        thread::scope(|scope| {
            let checks: Vec<_> = runs
                .into_iter()
                .map(|(chapter, run)| scope.spawn(move || check(chapter, run, LIMIT)))
                .collect();
            failures.extend(checks.into_iter().flat_map(|check| check.join().unwrap()));
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
        if seen && !block.shown && reader.shells[usize::from(block.as_root())] {
            sessions[usize::from(block.as_root())].push(block.clone());
        }
    }
    Vec::from(sessions)
}

/// Types a session, and returns its lies.
fn check(chapter: &str, mut blocks: Vec<Block>, limit: Duration) -> Vec<String> {
    blocks.retain(
        |block| match block.needs.iter().find(|needed| !there_is(needed)) {
            Some(needed) => {
                skip(needed, &block.place);
                false
            }
            None => true,
        },
    );
    let Some(first) = blocks.first() else {
        return Vec::new();
    };
    let steps: Vec<_> = blocks.iter().flat_map(|block| &block.steps).collect();
    let programs: Vec<_> = steps
        .iter()
        .flat_map(|step| programs(&step.command))
        .collect();
    if programs.iter().any(|name| !name.starts_with("day01")) && !can_have_namespaces() {
        skip("namespaces", chapter);
        return Vec::new();
    }
    if let Some(program) = programs.iter().find(|name| !built().join(name).exists()) {
        return vec![format!(
            "{chapter}: no target/debug/{program}: run `cargo build`"
        )];
    }

    let scratch = scratch();
    let end = format!("=== {} ", scratch.path().display());
    // After each command a line tells us so, and leaves $? alone.
    let mut script = "shopt -s expand_aliases\nexec 2>&1\n".to_owned();
    // The root shell of a page is one in which nothing happens to the machine, and the page says how to open it. Where
    // root types the rest of a page, too, containers change the network of their host from day 9 on.
    if has("root") && (first.as_root() || programs.iter().any(|name| *name >= "day09")) {
        let unshare =
            "exec unshare --net --mount bash --norc -c \"$BASH_EXECUTION_STRING\" unshared";
        let (lock, ours) = ("/run/tiny-docker.lock", scratch.path().join("lock"));
        let ours = ours.display(); // whoever is at the machine's network does not keep the chapter waiting
        let lock = format!("(umask 077; touch {lock} {ours}); mount --bind {ours} {lock}");
        script = format!("[ $0 = unshared ] || {unshare}\n{lock}\n{script}");
        if !first.as_root() {
            script += "ip link set lo up\n";
        }
    }
    script += &format!("ended() {{ local status=$?; echo; echo \"{end}$1\"; return $status; }}\n");
    for (index, step) in steps.iter().enumerate() {
        let command = with_programs_in(&built(), &step.command).replace('\'', r"'\''");
        let input = match step.typed.as_str() {
            "" => "/dev/null".to_owned(),
            typed => format!("<'{end}'\n{typed}{end}"),
        };
        // eval: a damaged command damages nothing but itself.
        script += &format!("eval '{command}' <{input}\nended {index}\n");
    }
    let last = format!("{end}{}\n", steps.len().wrapping_sub(1));
    let output = bash(&script, scratch.path(), &last, limit);
    tidy_up(scratch.path());

    let mut failures = Vec::new();
    let mut rest = output.as_str();
    for (index, step) in steps.iter().enumerate() {
        let ended = rest.split_once(&format!("\n{end}{index}\n"));
        let (seen, more) = ended.unwrap_or((rest, ""));
        let (expected, seen) = (lines(&step.expected), lines(seen));
        if ended.is_none() || !matches(&expected, &seen) {
            let (place, command) = (&step.place, step.command.replace('\n', "\n> "));
            let problem = if ended.is_some() {
                ""
            } else {
                "\n  did not end, or ended the shell"
            };
            let (expected, seen) = (indented(&expected), indented(&seen));
            failures.push(format!(
                "{place}: $ {command}{problem}\n  expected:{expected}\n  actual:{seen}"
            ));
        }
        if ended.is_none() {
            break;
        }
        rest = more;
    }
    failures
}

/// A directory for what a chapter makes: in `home`, in `state`, which is in the place of root's /var/lib, and in `tmp`.
fn scratch() -> TempDir {
    let scratch = tempfile::tempdir().unwrap();
    for (name, mode) in [
        ("home", 0o700),
        ("state", 0o700),
        ("tmp", 0o1777),
        ("", 0o755),
    ] {
        let directory = scratch.path().join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
    }
    scratch
}

/// Whether this machine has what a block needs: `limits` are there where we may make a cgroup.
fn there_is(needed: &str) -> bool {
    // By trying: the rules for it are the program's own.
    static LIMITS: LazyLock<bool> = LazyLock::new(|| {
        let program = built().join("day07-cgroups");
        let scratch = tempfile::tempdir().unwrap();
        let mut attempt = Command::new(&program);
        attempt.args(["run", "--memory", "64m", "true"]);
        program.exists() && run(attempt.env("TINY_DOCKER_ROOT", scratch.path())).0
    });
    if needed == "limits" {
        *LIMITS
    } else {
        has(needed)
    }
}

/// Makes the programs those of the sources as they are now: somebody may be in the middle of an exercise.
fn build() {
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
}

/// The days' programs that a command names, such as `day02-namespaces`.
fn programs(command: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    let after = command.split("target/debug/").skip(1);
    after.filter_map(move |rest| rest.split(ends).next())
}

/// `command` with cargo's directory in place of `$PWD/target/debug`.
fn with_programs_in(built: &Path, command: &str) -> String {
    let short = command.replace("$PWD/target/debug", "target/debug");
    let short = short.replace("./target/debug", "target/debug");
    short.replace("target/debug", built.to_str().unwrap())
}

/// Runs a script until it prints `last`, or ends. Leaves none of its processes.
fn bash(script: &str, scratch: &Path, last: &str, limit: Duration) -> String {
    // Without our terminal, and hearing what nohup(1) ignores: wherever we run, the chapter does not notice.
    let mut bash = Command::new("env");
    bash.args(["--default-signal=HUP,INT,QUIT", "setsid", "bash"])
        .args(["--noprofile", "--norc", "-c", script])
        .current_dir(root());
    // As somebody has it who has just logged in for the first time.
    bash.env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs([("LC_ALL", "C"), ("TERM", "xterm")])
        .env("HOME", scratch.join("home"))
        .env("TMPDIR", scratch.join("tmp"));
    if has("root") {
        bash.env("TINY_DOCKER_ROOT", scratch.join("state"));
    }
    bash.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut bash = bash.spawn().unwrap();

    let mut stdout = bash.stdout.take().unwrap();
    let (send, receive) = mpsc::channel();
    // In a thread, for the limit. Not to the end of the stream: what runs in the background keeps that open.
    thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = stdout.read(&mut part) {
            let _ = send.send(part[..length].to_vec());
        }
    });
    let start = Instant::now();
    let mut output = Vec::new();
    while !output.ends_with(last.as_bytes()) {
        match receive.recv_timeout(limit.saturating_sub(start.elapsed())) {
            Ok(part) => output.extend(part),
            Err(_) => break,
        }
    }
    let _ = killpg(Pid::from_raw(bash.id() as i32), Signal::SIGKILL);
    bash.wait().unwrap();
    String::from_utf8_lossy(&output).into_owned()
}

/// Without white space at the ends of lines, and without empty lines at the end.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

fn indented(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("\n    {line}")).collect()
}

fn matches(expected: &[&str], seen: &[&str]) -> bool {
    match (expected, seen) {
        ([], seen) => seen.is_empty(),
        (["…", rest @ ..], seen) => (0..=seen.len()).any(|from| matches(rest, &seen[from..])),
        ([line, rest @ ..], [first, more @ ..]) => line_matches(line, first) && matches(rest, more),
        (_, []) => false,
    }
}

fn line_matches(expected: &str, seen: &str) -> bool {
    match expected.split_once('…') {
        None => expected == seen,
        Some((start, rest)) => seen.strip_prefix(start).is_some_and(|seen| {
            let mut places = seen.char_indices().map(|(at, _)| at).chain([seen.len()]);
            places.any(|at| line_matches(rest, &seen[at..]))
        }),
    }
}

/// What the proof says about a chapter that consists of one block.
fn say(block: &str, limit: Duration) -> String {
    let chapter = format!("Text\n<!--\n```console,needs-sh\n{block}\n```\n-->");
    match parse("small.md", &chapter) {
        Ok(blocks) => check("small.md", blocks, limit).join("\n"),
        Err(failure) => failure,
    }
}

#[test]
fn a_chapter_that_tells_the_truth_passes() {
    for block in [
        "$ echo one; echo two >&2\none\ntwo",
        "$ printf 'no newline'\nno newline\n$ true",
        "$ false\n$ echo $?\n1",
        "$ alias greet='echo hi'; there=you\n$ cd /\n$ greet $there; pwd\nhi you\n/",
        "$ cat\n# it's typed\n#\n# $HOME\nit's typed\n\n$HOME",
        "$ cat\n$ for n in 1 2; do\n>   echo $n\n> done\n1\n2",
        "$ seq 9; echo pid $$.\n1\n…\n9\npid ….",
        "$ sleep 1000 &\n$ fi\n…syntax error…\n…\n$ echo \"$LC_ALL $TERM\"\nC xterm",
        "$ ls -A $HOME",
    ] {
        assert_eq!(say(block, LIMIT), "", "{block}");
    }
}

#[test]
fn a_changed_output_is_caught() {
    let said = say("$ true\n$ echo hello\nHello\n$ echo bye\nbye", LIMIT);
    let (expected, actual) = ("  expected:\n    Hello", "  actual:\n    hello");
    assert_eq!(
        said,
        format!("small.md:5: $ echo hello\n{expected}\n{actual}")
    );
    for block in [
        "$ echo more",
        "$ true\nless",
        "$ seq 3\n1\n3",
        "$ seq 3\n…\n4",
        "$ echo abcb\na…c",
        "$ exit\n$ true",
        "$ target/debug/day99-none",
        "no command",
    ] {
        assert_ne!(say(block, LIMIT), "", "{block}");
    }
    assert!(say("$ sleep 1000", Duration::from_millis(100)).contains("did not end"));
}

#[test]
fn programs_are_found_where_cargo_put_them() {
    let command = "alias a=$PWD/target/debug/day01-cli b=target/debug/day02-x";
    assert_eq!(
        programs(command).collect::<Vec<_>>(),
        ["day01-cli", "day02-x"]
    );
    let there = with_programs_in(Path::new("/t/debug"), command);
    assert_eq!(there, "alias a=/t/debug/day01-cli b=/t/debug/day02-x");
}
