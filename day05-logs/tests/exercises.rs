//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day05-logs --test exercises -- --ignored ex1

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

/// How long a grader waits for what should come at once: some machines are slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, with a default root filesystem and no containers.
struct Place {
    state: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            state: TempDir::new().unwrap(),
        };
        let built = place.see(&["run", "true"]);
        assert_eq!(built.code, Some(0), "no container starts: {}", built.stderr);
        fs::remove_dir_all(place.containers()).unwrap();
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        command
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end. None of the graders' own commands exits 2: that is clap, at an
    /// unknown option.
    fn see(&self, arguments: &[&str]) -> Seen {
        seen(arguments, self.command(arguments).output().unwrap())
    }

    fn containers(&self) -> PathBuf {
        self.state.path().join("containers")
    }

    /// The ids of all containers that have left a record.
    fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.containers());
        let entries = entries.into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect()
    }

    /// A file on the host, next to what tiny-docker keeps.
    fn file(&self, name: &str) -> String {
        self.state.path().join(name).to_str().unwrap().to_owned()
    }

    /// `tiny-docker run -d ARGUMENTS…`
    fn detach(&self, arguments: &[&str]) -> Detached {
        let seen = self.see(&[&["run", "-d"], arguments].concat());
        assert_eq!(seen.code, Some(0), "run -d failed: {}", seen.stderr);
        let id = seen.stdout.trim().to_owned();
        let directory = self.containers().join(&id);
        Detached { id, directory }
    }

    /// A shell in the background.
    fn detach_sh(&self, script: &str) -> Detached {
        self.detach(&["sh", "-c", script])
    }

    /// What a container waits for in `read line </tmp/NAME`: a line that the test writes.
    fn gate(&self, name: &str) -> File {
        let path = self.state.path().join("rootfs/default/tmp").join(name);
        mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
        // Open for both, it blocks nobody, whoever comes first.
        let mut options = OpenOptions::new();
        options.read(true).write(true).open(path).unwrap()
    }
}

fn seen(arguments: &[&str], output: Output) -> Seen {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(
        output.status.code(),
        Some(2),
        "tiny-docker {arguments:?} is not understood yet:\n{stderr}"
    );
    Seen {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr,
    }
}

/// A container in the background, killed where a test ends early.
struct Detached {
    id: String,
    directory: PathBuf,
}

impl Detached {
    fn record(&self) -> serde_json::Value {
        let config = fs::read(self.directory.join("config.json")).unwrap();
        serde_json::from_slice(&config).unwrap()
    }

    /// Its PID 1, as the host sees it.
    fn pid(&self) -> Pid {
        Pid::from_raw(self.record()["pid"].as_i64().unwrap() as i32)
    }

    /// The process that waits for it: the parent of its PID 1.
    fn supervisor(&self) -> Pid {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        Pid::from_raw(number(&status, "PPid:"))
    }

    fn has_ended(&self) -> bool {
        !self.record()["exit_code"].is_null()
    }

    fn wait_for_its_end(&self) {
        let start = Instant::now();
        while !self.has_ended() {
            assert!(start.elapsed() < PATIENCE, "{} never ended", self.id);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = kill(self.pid(), Signal::SIGKILL);
            // Its supervisor still writes to the directory that goes away next.
            let start = Instant::now();
            while !self.has_ended() && start.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// A process that stands still until this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn new(process: Pid) -> Self {
        kill(process, Signal::SIGSTOP).unwrap();
        Self(process)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

/// A `tiny-docker` that runs while the test looks at its output, killed where the test ends early.
struct Running {
    arguments: String,
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
        });
        Self {
            arguments: arguments.join(" "),
            child,
            lines,
        }
    }

    /// What it prints next, with the line break.
    fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(why) => {
                let _ = self.child.kill();
                let stderr = self.stderr();
                panic!("{} prints nothing: {why}. {stderr}", self.arguments);
            }
        }
    }

    /// The rest of what it prints, and how it ends.
    fn end(mut self) -> Seen {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "{} never ends", self.arguments);
            thread::sleep(Duration::from_millis(5));
        };
        let output = Output {
            status,
            // The sender goes away at the end of the output.
            stdout: self.lines.iter().collect::<String>().into_bytes(),
            stderr: self.stderr().into_bytes(),
        };
        seen(&[&self.arguments], output)
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        let _ = stderr.read_to_string(&mut text);
        text
    }

    /// How often it has gone to sleep: getrusage(2) calls these voluntary context switches.
    fn sleeps(&self) -> i32 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        number(&status.unwrap(), "voluntary_ctxt_switches:")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number after `name`, in a file such as /proc/PID/status.
fn number(status: &str, name: &str) -> i32 {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name} in:\n{status}"))
}

/// The file's text, or the reason why there is none.
fn text_of(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| error.to_string())
}

/// That the user was told `what` in one line, with or without a hint.
fn assert_one_line(stderr: &str, what: &str) {
    let mut lines = stderr.lines().filter(|line| !line.starts_with("hint: "));
    let line = lines.next().unwrap_or_default();
    assert!(
        line.starts_with("tiny-docker: ") && line.contains(what) && lines.next().is_none(),
        "one line should tell the user about {what}, and it was:\n{stderr}"
    );
}

// Exercise 1: run --cidfile FILE

#[test]
#[ignore = "exercise"]
fn ex1_the_file_has_the_id() {
    let place = Place::new();
    let file = place.file("id");
    let seen = place.see(&["run", "--cidfile", &file, "echo", "ran"]);
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(0), "ran\n"),
        "the command should run as it does without. On stderr: {}",
        seen.stderr
    );
    assert_eq!(
        text_of(&file).trim_end(),
        place.ids()[0],
        "FILE should have the id of the record, and nothing else"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_the_file_is_there_while_the_command_runs() {
    let place = Place::new();
    let file = place.file("id");
    let script = "echo started; read line";
    let mut run = Running::start(&place, &["run", "--cidfile", &file, "sh", "-c", script]);
    assert_eq!(run.line(), "started\n");
    assert_eq!(
        text_of(&file).trim_end(),
        place.ids()[0],
        "FILE should have the id when the command starts, not when it has ended"
    );
    drop(run.child.stdin.take());
    run.end();
    assert!(Path::new(&file).exists(), "FILE should stay");
}

#[test]
#[ignore = "exercise"]
fn ex1_in_the_background_too() {
    let place = Place::new();
    let file = place.file("id");
    let detached = place.detach(&["--cidfile", &file, "true"]);
    assert_eq!(
        text_of(&file).trim_end(),
        detached.id,
        "when run -d returns, FILE should have the id that it prints"
    );
    detached.wait_for_its_end();
    assert!(
        Path::new(&file).exists(),
        "FILE should stay after the container's end"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_a_file_that_exists_is_refused_and_stays_as_it_was() {
    let place = Place::new();
    let file = place.file("id");
    for run in [&["run"][..], &["run", "-d"]] {
        fs::write(&file, "of another one").unwrap();
        let seen = place.see(&[run, &["--cidfile", &file, "echo", "ran"]].concat());
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "{run:?} should fail, and not start the command"
        );
        assert_one_line(&seen.stderr, &file);
        assert_eq!(place.ids(), [""; 0], "nothing should be left of {run:?}");
        assert_eq!(
            text_of(&file),
            "of another one",
            "FILE may name a container that is still running, and should stay as it was"
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_a_link_that_leads_nowhere_is_refused() {
    let place = Place::new();
    let (link, elsewhere) = (place.file("link"), place.file("elsewhere"));
    symlink(&elsewhere, &link).unwrap();
    let seen = place.see(&["run", "--cidfile", &link, "echo", "ran"]);
    assert!(
        !Path::new(&elsewhere).exists(),
        "FILE is a link, and the id was written to where it leads: O_EXCL refuses that"
    );
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert!(fs::read_link(&link).is_ok(), "the link should stay");
}

#[test]
#[ignore = "exercise"]
fn ex1_the_file_goes_away_again_when_the_run_fails() {
    let place = Place::new();
    let file = place.file("id");
    let missing = place.file("missing");
    let not_found = ["no-such-program"];
    let no_rootfs = ["--rootfs", &missing, "true"];
    for (run, failing, code) in [
        (&["run"][..], &not_found[..], 127),
        (&["run", "-d"], &not_found, 127),
        (&["run"], &no_rootfs, 125),
        (&["run", "-d"], &no_rootfs, 125),
    ] {
        let seen = place.see(&[run, &["--cidfile", &file], failing].concat());
        assert_eq!(
            seen.code,
            Some(code),
            "{run:?} {failing:?}: {}",
            seen.stderr
        );
        assert!(
            !Path::new(&file).exists(),
            "{run:?} {failing:?} started nothing, so FILE should be gone"
        );
    }

    // A state directory that takes no record.
    let _ = fs::remove_dir_all(place.containers());
    fs::write(place.containers(), "in the way").unwrap();
    let seen = place.see(&["run", "--cidfile", &file, "true"]);
    assert_eq!(seen.code, Some(125), "{}", seen.stderr);
    assert!(
        !Path::new(&file).exists(),
        "there is no container, so FILE should be gone"
    );
}

// Exercise 2: logs -n N

#[test]
#[ignore = "exercise"]
fn ex2_the_last_lines_only() {
    let place = Place::new();
    let container = place.detach_sh("printf 'one\\ntwo\\n\\nfour\\n'");
    container.wait_for_its_end();
    for (n, lines) in [
        ("0", ""),
        ("1", "four\n"),
        ("2", "\nfour\n"),
        ("3", "two\n\nfour\n"),
        ("4", "one\ntwo\n\nfour\n"),
        ("5", "one\ntwo\n\nfour\n"),
    ] {
        for option in ["-n", "--tail"] {
            let seen = place.see(&["logs", option, n, &container.id]);
            assert_eq!(
                (seen.code, seen.stdout.as_str()),
                (Some(0), lines),
                "logs {option} {n} of one, two, an empty line, four. On stderr: {}",
                seen.stderr
            );
        }
    }
    let seen = place.see(&["logs", &container.id]);
    assert_eq!(seen.stdout, "one\ntwo\n\nfour\n", "without -n, it is all");
}

#[test]
#[ignore = "exercise"]
fn ex2_a_last_line_without_a_line_break_is_a_line() {
    let place = Place::new();
    let container = place.detach_sh("printf 'one\\ntwo\\nthree'");
    container.wait_for_its_end();
    for (n, lines) in [
        ("0", ""),
        ("1", "three"),
        ("2", "two\nthree"),
        ("3", "one\ntwo\nthree"),
        ("4", "one\ntwo\nthree"),
    ] {
        let seen = place.see(&["logs", "-n", n, &container.id]);
        assert_eq!(
            seen.stdout, lines,
            "logs -n {n} of one, two, and three without a line break. On stderr: {}",
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_an_empty_log_has_no_lines() {
    let place = Place::new();
    let container = place.detach_sh("true");
    container.wait_for_its_end();
    for n in ["0", "1", "18446744073709551615"] {
        let seen = place.see(&["logs", "-n", n, &container.id]);
        assert_eq!(
            (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
            (Some(0), "", ""),
            "logs -n {n} of an empty log"
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_long_logs_and_long_lines() {
    let place = Place::new();
    // Lines of 100,001 bytes, and of one: none fits the blocks in which a file is read.
    let script = "for n in 1 2 3; do head -c 100000 /dev/zero | tr '\\0' $n; echo; done; yes | head -n 50000";
    let container = place.detach_sh(script);
    container.wait_for_its_end();
    let log = fs::read_to_string(container.directory.join("container.log")).unwrap();
    let lines: Vec<_> = log.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 50_003, "the container's own log");
    for n in [
        1, 2, 4095, 4096, 4097, 49_999, 50_000, 50_001, 50_002, 50_003, 60_000,
    ] {
        let seen = place.see(&["logs", "-n", &n.to_string(), &container.id]);
        assert!(
            seen.stdout == lines[lines.len().saturating_sub(n)..].concat(),
            "logs -n {n} prints {} bytes, and not the last {n} lines. On stderr: {}",
            seen.stdout.len(),
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_what_is_no_text_passes_unchanged() {
    let place = Place::new();
    let container = place.detach_sh("printf 'one\\n\\377\\000\\r\\n\\376'");
    container.wait_for_its_end();
    let arguments = ["logs", "-n", "2", &container.id];
    let output = place.command(&arguments).output().unwrap();
    let stdout = output.stdout.clone();
    seen(&arguments, output);
    assert_eq!(stdout, b"\xff\0\r\n\xfe", "the log is bytes, not text");
}

#[test]
#[ignore = "exercise"]
fn ex2_the_last_lines_and_then_what_comes() {
    let place = Place::new();
    let mut gate = place.gate("gate");
    let container = place
        .detach_sh("echo one; echo two; echo three; read line </tmp/gate; echo four; echo five");
    let log = container.directory.join("container.log");
    let start = Instant::now();
    while fs::read_to_string(&log).unwrap() != "one\ntwo\nthree\n" {
        assert!(start.elapsed() < PATIENCE, "the container wrote nothing");
        thread::sleep(Duration::from_millis(5));
    }
    let mut none = Running::start(&place, &["logs", "-f", "-n", "0", &container.id]);
    let mut two = Running::start(&place, &["logs", "-f", "-n", "2", &container.id]);
    assert_eq!(two.line(), "two\n", "logs -f -n 2 of one, two, three");
    assert_eq!(two.line(), "three\n", "logs -f -n 2 of one, two, three");
    // The other one prints nothing yet: give it the time to look.
    thread::sleep(Duration::from_secs(1));
    writeln!(gate, "go").unwrap();
    assert_eq!(none.line(), "four\n", "logs -f -n 0 of one, two, three");
    for follower in [none, two] {
        let arguments = follower.arguments.clone();
        let seen = follower.end();
        assert!(
            seen.code == Some(0) && seen.stdout.ends_with("five\n"),
            "{arguments} should go on to the end: {}{}",
            seen.stdout,
            seen.stderr
        );
    }
    let seen = place.see(&["logs", "-f", "-n", "1", &container.id]);
    assert_eq!(seen.stdout, "five\n", "logs -f -n 1 of an ended container");
}

// Exercise 3: wait ID…

#[test]
#[ignore = "exercise"]
fn ex3_those_that_have_ended_at_once() {
    let place = Place::new();
    let three = place.detach_sh("exit 3");
    let zero = place.detach_sh("exit 0");
    let killed = place.detach(&["sleep", "60"]);
    kill(killed.pid(), Signal::SIGKILL).unwrap();
    for container in [&three, &zero, &killed] {
        container.wait_for_its_end();
    }
    let seen = place.see(&["wait", &three.id]);
    assert_eq!(
        (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
        (Some(0), "3\n", ""),
        "wait should print the container's exit code, and succeed"
    );
    let seen = place.see(&["wait", &killed.id, &three.id, &zero.id, &three.id]);
    assert_eq!(
        (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
        (Some(0), "137\n3\n0\n3\n", ""),
        "one line for each, in the order asked for"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_it_waits_for_the_end() {
    let place = Place::new();
    let mut gate = place.gate("gate");
    let ended = place.detach_sh("exit 3");
    ended.wait_for_its_end();
    let running = place.detach_sh("read line </tmp/gate; exit 7");
    let mut wait = Running::start(&place, &["wait", &ended.id, &running.id]);
    assert_eq!(
        wait.line(),
        "3\n",
        "one has ended, and that is known at once"
    );
    thread::sleep(Duration::from_secs(1));
    assert_eq!(
        wait.child
            .try_wait()
            .unwrap()
            .and_then(|status| status.code()),
        None,
        "the other still runs, and wait has ended: {}",
        wait.stderr()
    );
    writeln!(gate, "go").unwrap();
    let seen = wait.end();
    assert_eq!(
        (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
        (Some(0), "7\n", ""),
        "the exit code of the one that it waited for"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_it_sleeps_meanwhile() {
    let place = Place::new();
    let mut gate = place.gate("gate");
    let running = place.detach_sh("read line </tmp/gate; echo one; echo two; exit 7");
    let wait = Running::start(&place, &["wait", &running.id]);
    thread::sleep(Duration::from_secs(1));
    let before = wait.sleeps();
    thread::sleep(Duration::from_secs(3));
    let woken = wait.sleeps() - before;
    assert!(
        woken < 2,
        "it woke up {woken} times in three seconds, and there was nothing to see"
    );
    writeln!(gate, "go").unwrap();
    assert_eq!(wait.end().stdout, "7\n");
}

#[test]
#[ignore = "exercise"]
fn ex3_the_exit_code_comes_after_the_end() {
    let place = Place::new();
    let container = place.detach(&["sleep", "60"]);
    // Its end, and the moment when the record says so, lie far apart on this machine.
    let supervisor = Stopped::new(container.supervisor());
    let early = Running::start(&place, &["wait", &container.id]);
    thread::sleep(Duration::from_secs(1));
    kill(container.pid(), Signal::SIGKILL).unwrap();
    let late = Running::start(&place, &["wait", &container.id]);
    thread::sleep(Duration::from_secs(1));
    drop(supervisor);
    for (wait, when) in [(early, "before"), (late, "after")] {
        let seen = wait.end();
        assert_eq!(
            (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
            (Some(0), "137\n", ""),
            "started {when} the container's end, wait should not give up before its exit code is in the record"
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex3_an_unknown_container_is_one_line() {
    let place = Place::new();
    for unknown in ["000000000000", "nonsense"] {
        let seen = place.see(&["wait", unknown]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
        assert_one_line(&seen.stderr, unknown);
    }
}
