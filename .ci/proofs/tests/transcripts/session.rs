//! A session of a page: types it, and compares.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use proofs::{built, can_have_namespaces, has, root, run, skip, tidy_up};
use tempfile::TempDir;

use crate::page::{Block, Step};

pub const LIMIT: Duration = Duration::from_secs(600);

/// Types a session, and returns its lies.
pub fn check(chapter: &str, mut blocks: Vec<Block>, limit: Duration) -> Vec<String> {
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
    let apart = has("root") && (first.as_root() || programs.iter().any(|name| *name >= "day09"));
    let script = match apart {
        false => script(&steps, &end),
        true => apart_from_the_machine(scratch.path(), first.as_root()) + &script(&steps, &end),
    };
    let last = format!("{end}{}\n", steps.len().wrapping_sub(1));
    let output = bash(&script, scratch.path(), &last, limit);
    tidy_up(scratch.path());
    lies(&steps, &end, &output)
}

/// Begins a script of root's in a network of its own. In the host's own network, they would change it since day 9.
///
/// For a page's root shell, that is what the page says: `sudo unshare --net --mount bash`.
fn apart_from_the_machine(scratch: &Path, as_the_page_says: bool) -> String {
    // Nobody who is at the machine's network keeps the chapter waiting.
    let (lock, ours) = ("/run/tiny-docker.lock", scratch.join("lock"));
    let ours = ours.display();
    let up = match as_the_page_says {
        true => "",
        false => "ip link set lo up\n",
    };
    format!(
        "[ $0 = apart ] || exec unshare --net --mount bash --norc -c \"$BASH_EXECUTION_STRING\" apart\n\
        (umask 077; touch {lock} {ours}); mount --bind {ours} {lock}\n{up}"
    )
}

/// Types the commands, into a shell that has jobs and aliases, as one at a terminal has. After each of them a line that
/// begins with `end` tells us so, and leaves $? alone.
fn script(steps: &[&Step], end: &str) -> String {
    let mut script = format!(
        "shopt -s expand_aliases\nset -m\nexec 2>&1\n\
        ended() {{ local status=$?; echo; echo \"{end}$1\"; return $status; }}\n"
    );
    for (index, step) in steps.iter().enumerate() {
        let command = with_programs_in(&built(), &step.command).replace('\'', r"'\''");
        let input = match step.typed.as_str() {
            "" => "/dev/null".to_owned(),
            typed => format!("<'{end}'\n{typed}{end}"),
        };
        // eval: a damaged command damages nothing but itself.
        script += &format!("eval '{command}' <{input}\nended {index}\n");
    }
    script
}

/// Where the output differs from what the chapter says.
fn lies(steps: &[&Step], end: &str, output: &str) -> Vec<String> {
    let mut failures = Vec::new();
    let mut rest = output;
    for (index, step) in steps.iter().enumerate() {
        let ended = rest.split_once(&format!("\n{end}{index}\n"));
        let (seen, more) = ended.unwrap_or((rest, ""));
        let (expected, mut seen) = (lines(&step.expected), lines(seen));
        // On a busy machine, a command may take more than a second to start.
        seen.retain(|line| *line != "tiny-docker: waiting for the command to start");
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

/// Whether this machine has what a block needs: `limits` need a cgroup that we may change.
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

/// Without white space at the ends of lines, what the shell says of its jobs, and empty lines at the end.
fn lines(text: &str) -> Vec<&str> {
    let is_about_a_job = |line: &str| {
        let number = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        number.is_some_and(|(number, _)| number.parse::<u8>().is_ok())
    };
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        match is_about_a_job(line) {
            true => drop(lines.pop_if(|line| line.is_empty())), // it begins a line of its own
            false => lines.push(line),
        }
    }
    while lines.pop_if(|line| line.is_empty()).is_some() {}
    lines
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::parse;

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
            "$ sleep 1000 & kill -STOP $!; sleep 0.2\n$ kill $!; kill -CONT $!; sleep 0.2; jobs\n$ echo end\nend",
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
}
