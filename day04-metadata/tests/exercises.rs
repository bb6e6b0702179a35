//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day04-metadata --test exercises -- --ignored ex1

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, with the default root filesystem, and without containers.
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
        fs::remove_dir_all(place.state.path().join("containers")).unwrap();
        place
    }

    /// `tiny-docker ARGUMENTS…`, with nothing to read, still to be started.
    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        command
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end. None of the graders' own commands exits 2: that is clap, at an
    /// unknown option.
    fn see(&self, arguments: &[&str]) -> Seen {
        let Output {
            status,
            stdout,
            stderr,
        } = self.tiny_docker(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert_ne!(
            status.code(),
            Some(2),
            "tiny-docker {arguments:?} is not understood yet:\n{stderr}"
        );
        Seen {
            code: status.code(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr,
        }
    }

    /// Starts `tiny-docker ARGUMENTS…`, and waits until `ps` lists its container.
    fn start(&self, arguments: &[&str]) -> Running {
        let before = self.listed(&["ps"]).len();
        let mut running = Running(self.tiny_docker(arguments).spawn().unwrap());
        wait_until("ps list the container", || {
            let ended = running.0.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "tiny-docker {arguments:?} should still be running, but it has ended"
            );
            self.listed(&["ps"]).len() > before
        });
        running
    }

    /// The lines of a `ps` below its headings, in words.
    fn listed(&self, ps: &[&str]) -> Vec<Vec<String>> {
        let table = self.see(ps).stdout;
        assert!(
            table.starts_with("CONTAINER ID"),
            "tiny-docker {ps:?} should still print its headings, and prints:\n{table}"
        );
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        table.lines().skip(1).map(words).collect()
    }

    /// The first column of a `ps`, as `ps -q` should print it.
    fn ids(&self, ps: &[&str]) -> String {
        let ids = self.listed(ps).into_iter();
        ids.map(|words| words[0].clone() + "\n").collect()
    }

    /// All that is in containers/, finished or not.
    fn records(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state.path().join("containers"));
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// The id of the only container, and the file that is kept about it.
    fn only_record(&self) -> (String, PathBuf) {
        let records = self.records();
        assert_eq!(records.len(), 1, "there should be one container");
        let id = records[0].file_name().unwrap().to_str().unwrap();
        (id.to_owned(), records[0].join("config.json"))
    }

    /// What `inspect ID` prints.
    fn inspect(&self, id: &str) -> Value {
        let seen = self.see(&["inspect", id]);
        assert_eq!(
            (seen.code, seen.stderr.as_str()),
            (Some(0), ""),
            "inspect should exit 0, with nothing on stderr"
        );
        assert!(
            seen.stdout.contains("\n  \"id\": ") && seen.stdout.ends_with("}\n"),
            "inspect should print JSON for people, a line for each field, and prints:\n{}",
            seen.stdout
        );
        let json = serde_json::from_str(&seen.stdout);
        json.unwrap_or_else(|error| panic!("not JSON: {error}:\n{}", seen.stdout))
    }
}

/// A container's runtime, which is killed where a test ends early.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `condition` holds. The limit is wide: some machines are slow.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "never saw {what}"
        );
        sleep(Duration::from_millis(5));
    }
}

// Exercise 1: ps -q

#[test]
#[ignore = "exercise"]
fn ex1_the_ids_of_the_running_ones_and_nothing_else() {
    let place = Place::new();
    place.see(&["run", "true"]);
    let _one = place.start(&["run", "sleep", "1000"]);
    let _another = place.start(&["run", "sleep", "1000"]);
    let ids = place.ids(&["ps"]);
    assert_eq!(ids.lines().count(), 2, "ps should list the running ones");
    for option in ["-q", "--quiet"] {
        let seen = place.see(&["ps", option]);
        assert_eq!(
            seen.stdout, ids,
            "ps {option} should print the ids that ps lists, each in a line. On stderr: {}",
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_with_a_the_ids_of_all_the_newest_first() {
    let place = Place::new();
    for _ in 0..3 {
        place.see(&["run", "true"]);
    }
    let _running = place.start(&["run", "sleep", "1000"]);
    let ids = place.ids(&["ps", "-a"]);
    assert_eq!(ids.lines().count(), 4, "ps -a should list all");
    for options in [&["-a", "-q"][..], &["-q", "--all"], &["-aq"]] {
        let seen = place.see(&[&["ps"], options].concat());
        assert_eq!(
            seen.stdout, ids,
            "ps {options:?} should print the ids in the order of ps -a. On stderr: {}",
            seen.stderr
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_without_containers_there_is_nothing_to_print() {
    let place = Place::new();
    let seen = place.see(&["ps", "-q"]);
    assert_eq!(
        (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
        (Some(0), "", ""),
        "no container, no line: a script would take it for an id"
    );
}

// Exercise 2: run --rm

#[test]
#[ignore = "exercise"]
fn ex2_the_record_goes_and_the_exit_code_is_passed_on() {
    let place = Place::new();
    for code in [0, 7] {
        let seen = place.see(&["run", "--rm", "sh", "-c", &format!("exit {code}")]);
        assert_eq!(
            seen.code,
            Some(code),
            "the exit code should be the command's. On stderr: {}",
            seen.stderr
        );
        assert_eq!(
            place.records(),
            <[PathBuf; 0]>::default(),
            "the command has exited with {code}, and nothing of its container should be left"
        );
    }
    let seen = place.see(&["run", "--rm", "no-such-command"]);
    assert_eq!(
        seen.code,
        Some(127),
        "what cannot be run is still not found"
    );
    assert_eq!(
        place.records(),
        <[PathBuf; 0]>::default(),
        "what never started should leave nothing"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_while_it_runs_it_is_listed_and_a_killed_one_goes_too() {
    let place = Place::new();
    let mut running = place.start(&["run", "--rm", "sleep", "1000"]);
    let pid = place.listed(&["ps"])[0][1].parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let status = running.0.wait().unwrap();
    assert_eq!(
        status.code(),
        Some(137),
        "the command was killed by signal 9"
    );
    assert_eq!(
        place.records(),
        <[PathBuf; 0]>::default(),
        "the command was killed, and nothing of its container should be left"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_the_other_containers_stay() {
    let place = Place::new();
    place.see(&["run", "sh", "-c", "exit 3"]);
    let _running = place.start(&["run", "sleep", "1000"]);
    let before = place.ids(&["ps", "-a"]);
    place.see(&["run", "--rm", "true"]);
    assert_eq!(
        place.ids(&["ps", "-a"]),
        before,
        "only the container with --rm should go"
    );
}

// Exercise 3: inspect ID

#[test]
#[ignore = "exercise"]
fn ex3_the_record_is_printed_for_people_and_programs() {
    let place = Place::new();
    place.see(&["run", "--hostname", "web", "sh", "-c", "exit 7"]);
    let (id, config) = place.only_record();
    let shown = place.inspect(&id);
    let kept: Value = serde_json::from_slice(&fs::read(config).unwrap()).unwrap();
    assert_eq!(shown, kept, "left: what inspect prints, right: the record");
    assert_eq!(shown["exit_code"], 7);

    let _running = place.start(&["run", "sleep", "1000"]);
    let id = &place.listed(&["ps"])[0][0];
    assert_eq!(place.inspect(id)["status"], "running", "it still runs");
}

#[test]
#[ignore = "exercise"]
fn ex3_one_whose_runtime_was_killed_has_exited_and_its_record_stays_as_it_is() {
    let place = Place::new();
    let mut running = place.start(&["run", "sleep", "1000"]);
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    wait_until("its end", || place.listed(&["ps"]).is_empty());

    let (id, config) = place.only_record();
    let kept = || {
        let changed = fs::metadata(&config).unwrap().modified().unwrap();
        (fs::read_to_string(&config).unwrap(), changed)
    };
    let before = kept();
    let shown = place.inspect(&id);
    assert_eq!(
        shown["status"], "exited",
        "the record still says that it is running, but ps knows better, and so should inspect"
    );
    assert_eq!(
        shown["exit_code"],
        Value::Null,
        "nobody has seen its exit code"
    );
    assert!(
        kept() == before,
        "inspect should only look: the record was written to"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_an_unknown_id_is_one_line_and_exits_1() {
    let place = Place::new();
    let none = place.see(&["inspect", "0123456789ab"]);
    place.see(&["run", "true"]);
    let (id, _) = place.only_record();
    let path = format!("../containers/{id}");
    let mut unknown = vec![("0123456789ab", none)];
    for id in ["ffffffffffff", "no-such-container", &path] {
        unknown.push((id, place.see(&["inspect", id])));
    }
    for (id, seen) in unknown {
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(1), ""),
            "inspect {id} should exit 1, and print nothing on stdout"
        );
        let line = seen.stderr;
        assert!(
            line.starts_with("tiny-docker: ") && line.contains(id) && line.lines().count() == 1,
            "inspect {id} should say so in one line that names the id, and says:\n{line}"
        );
    }
}
