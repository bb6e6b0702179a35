//! Graders for the exercises. Each fails until its exercise is solved, and says what it misses:
//!
//!     cargo test -p day06-stop --test exercises -- --ignored ex1

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Says which signal has come, and goes on.
const GOES_ON: &str = "trap 'echo term' TERM; trap 'echo usr1' USR1; trap 'echo usr2' USR2; \
    sleep 1000 & echo ready; while :; do wait $!; done";

/// Says which signal has come, and ends with an exit code of its own.
const ENDS: &str = "trap 'echo term; exit 4' TERM; trap 'echo usr1; exit 5' USR1; \
    trap 'echo usr2; exit 6' USR2; sleep 1000 & echo ready; wait";

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Seen {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Seen {
    /// That `id` was refused, in one line.
    fn assert_refused(&self, id: &str, stdout: &str) {
        assert_eq!(self.code, Some(1), "the exit code should be 1");
        assert_eq!(
            self.stdout, stdout,
            "only the ids of which it is done are printed. On stderr: {}",
            self.stderr
        );
        assert!(
            self.stderr.lines().count() == 1 && self.stderr.contains(id),
            "one line should say what is wrong with {id}, and stderr is:\n{}",
            self.stderr
        );
    }
}

/// A state directory for one test.
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
        place
    }

    fn tiny_docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.state.path());
        command
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end. Of the graders' own commands, those run by this one do not
    /// exit 2: that is clap, at an unknown command or option.
    fn see(&self, arguments: &[&str]) -> Seen {
        let seen = Seen::from(self.tiny_docker(arguments).output().unwrap());
        assert_ne!(
            seen.code,
            Some(2),
            "tiny-docker {arguments:?} is not understood yet:\n{}",
            seen.stderr
        );
        seen
    }

    /// Starts a container in the background, and waits until its `script` says "ready".
    fn start(&self, options: &[&str], script: &str) -> Background<'_> {
        // The path makes its command line one of a kind.
        let script = format!("{script} # {}", self.state.path().display());
        let seen = self.see(&[&["run", "-d"], options, &["sh", "-c", &script]].concat());
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        let id = seen.stdout.trim().to_owned();
        let mut container = Background {
            place: self,
            id,
            pid: 0,
        };
        container.pid = container.record()["pid"].as_i64().unwrap() as i32;
        wait_until("the container say ready", || {
            container.log().contains("ready\n")
        });
        container
    }

    /// A container that has ended, with the exit code 3.
    fn start_and_end(&self) -> Background<'_> {
        let container = self.start(&[], "echo ready; exit 3");
        assert_eq!(container.exit_code(), 3);
        container
    }

    /// How many records there are, finished or not.
    fn count_records(&self) -> usize {
        let containers = self.state.path().join("containers");
        fs::read_dir(containers).unwrap().count()
    }
}

/// A container in the background, which does not outlive the test.
struct Background<'a> {
    place: &'a Place,
    id: String,
    pid: i32,
}

impl Background<'_> {
    fn directory(&self) -> PathBuf {
        self.place.state.path().join("containers").join(&self.id)
    }

    fn record(&self) -> Value {
        let text = fs::read(self.directory().join("config.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Changes the record, behind the program's back.
    fn change_record(&self, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
        let mut record = self.record();
        change(record.as_object_mut().unwrap());
        let new = self.place.state.path().join("changed.json");
        fs::write(&new, record.to_string()).unwrap();
        fs::rename(&new, self.directory().join("config.json")).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory().join("container.log")).unwrap_or_default()
    }

    /// Its exit code, once it has ended.
    fn exit_code(&self) -> i64 {
        wait_until("the exit code in the record", || {
            !self.record()["exit_code"].is_null()
        });
        self.record()["exit_code"].as_i64().unwrap()
    }

    /// Whether its PID 1 is there: the command line of a dead process is empty.
    fn is_alive(&self) -> bool {
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let ours = self.place.state.path().to_str().unwrap();
        String::from_utf8_lossy(&command_line).contains(ours)
    }

    /// Whether `ps -a` shows it.
    fn is_listed(&self) -> bool {
        self.place.see(&["ps", "-a"]).stdout.contains(&self.id)
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        let stop = &mut self.place.tiny_docker(&["stop", "-t", "0", &self.id]);
        let _ = stop.output();
        // Where the exercise's code has broken that, or has lost the record.
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        // Its run writes to the state directory until it lets go of the lock.
        if let Ok(lock) = File::open(self.directory().join("lock")) {
            let _ = lock.lock();
        }
    }
}

/// A process that has nothing to do with any container.
struct Stranger(Child);

impl Stranger {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn has_ended(&mut self) -> bool {
        // A signal that was sent has done its work by then.
        sleep(Duration::from_millis(100));
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Stranger {
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
            start.elapsed() < Duration::from_secs(30),
            "never saw {what}"
        );
        sleep(Duration::from_millis(5));
    }
}

// Exercise 1: kill [-s SIGNAL] ID…

#[test]
#[ignore = "exercise"]
fn ex1_without_a_signal_the_container_is_killed() {
    let place = Place::new();
    let containers = [place.start(&[], GOES_ON), place.start(&[], GOES_ON)];
    // As everywhere, the beginning of an id will do. It is printed as it was typed.
    let [one, another] = [&containers[0].id, &containers[1].id[..8]];
    let seen = place.see(&["kill", one, another]);
    assert_eq!(
        (seen.code, seen.stdout),
        (Some(0), format!("{one}\n{another}\n")),
        "kill should print the ids, and exit 0. On stderr: {}",
        seen.stderr
    );
    for container in &containers {
        assert_eq!(
            container.exit_code(),
            128 + 9,
            "SIGKILL should have ended it, and its log is:\n{}",
            container.log()
        );
    }
}

#[test]
#[ignore = "exercise"]
fn ex1_a_signal_has_two_names_and_a_number() {
    let place = Place::new();
    let container = place.start(&[], GOES_ON);
    let mut log = "ready\n".to_owned();
    for (signal, said) in [
        ("TERM", "term\n"),
        ("SIGTERM", "term\n"),
        ("15", "term\n"),
        ("SIGUSR1", "usr1\n"),
    ] {
        let seen = place.see(&["kill", "-s", signal, &container.id]);
        assert_eq!(
            (seen.code, seen.stdout),
            (Some(0), format!("{}\n", container.id)),
            "kill -s {signal} should print the id, and exit 0. On stderr: {}",
            seen.stderr
        );
        log += said;
        wait_until(
            &format!("the container get the signal of kill -s {signal}"),
            || container.log() == log,
        );
    }
    assert!(
        container.is_alive(),
        "it has handled these signals, and should go on"
    );
}

#[test]
#[ignore = "exercise"]
fn ex1_an_unknown_signal_is_refused_and_nothing_is_sent() {
    let place = Place::new();
    let container = place.start(&[], GOES_ON);
    for unknown in ["NONSENSE", "SIGNONSENSE", "SIG", "", "0", "999"] {
        let mut kill = place.tiny_docker(&["kill", "-s", unknown, &container.id]);
        let seen = Seen::from(kill.output().unwrap());
        assert_ne!(seen.code, Some(0), "kill -s '{unknown}' should fail");
        assert_eq!(
            seen.stdout, "",
            "kill -s '{unknown}' should print no id: nothing was sent"
        );
        assert!(
            !seen.stderr.is_empty() && !seen.stderr.contains("panicked"),
            "kill -s '{unknown}' should say what is wrong, and stderr is:\n{}",
            seen.stderr
        );
    }
    // What comes next is the first that the container gets.
    place.see(&["kill", "-s", "USR1", &container.id]);
    wait_until("the container get SIGUSR1", || {
        container.log().contains("usr1\n")
    });
    assert_eq!(
        container.log(),
        "ready\nusr1\n",
        "an unknown signal was sent as another one"
    );
    assert!(container.is_alive(), "an unknown signal has ended it");
}

#[test]
#[ignore = "exercise"]
fn ex1_a_container_that_has_ended_is_refused_and_the_others_get_the_signal() {
    let place = Place::new();
    let [ended, running] = [place.start_and_end(), place.start(&[], ENDS)];
    let seen = place.see(&["kill", "-s", "TERM", &ended.id, &running.id]);
    seen.assert_refused(&ended.id, &format!("{}\n", running.id));
    assert_eq!(running.exit_code(), 4, "the other one should get SIGTERM");
}

#[test]
#[ignore = "exercise"]
fn ex1_a_process_that_has_got_the_pid_since_is_left_alone() {
    let place = Place::new();
    let container = place.start_and_end();
    let mut stranger = Stranger::start();
    // "running" is what a run that was itself killed has left.
    for status in ["exited", "running"] {
        container.change_record(|record| {
            record["status"] = status.into();
            record["pid"] = stranger.0.id().into();
            record["start_time"] = 1.into();
        });
        let seen = place.see(&["kill", &container.id]);
        assert!(
            !stranger.has_ended(),
            "the record ({status}) has the pid of a container that has ended, and kill has killed the process \
             that has that pid now"
        );
        seen.assert_refused(&container.id, "");
    }
}

// Exercise 2: run --stop-signal SIGNAL

#[test]
#[ignore = "exercise"]
fn ex2_stop_sends_the_signal_that_run_was_given() {
    let place = Place::new();
    for (signal, said, code) in [
        ("USR1", "usr1", 5),
        ("SIGUSR2", "usr2", 6),
        ("TERM", "term", 4),
    ] {
        let container = place.start(&["--stop-signal", signal], ENDS);
        let seen = place.see(&["stop", "-t", "30", &container.id]);
        assert_eq!(seen.code, Some(0), "{}", seen.stderr);
        assert_eq!(
            container.log(),
            format!("ready\n{said}\n"),
            "after run --stop-signal {signal}, that is what stop should send, and nothing else"
        );
        assert_eq!(container.exit_code(), code);
        assert_eq!(container.record()["status"], "stopped");
    }
}

#[test]
#[ignore = "exercise"]
fn ex2_a_container_that_does_not_heed_it_is_killed_all_the_same() {
    let place = Place::new();
    let container = place.start(&["--stop-signal", "USR1"], GOES_ON);
    let seen = place.see(&["stop", "-t", "1", &container.id]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(
        container.log(),
        "ready\nusr1\n",
        "it should get its stop signal first"
    );
    assert_eq!(
        container.exit_code(),
        128 + 9,
        "then, after the time, SIGKILL"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_a_record_without_a_stop_signal_means_sigterm() {
    let place = Place::new();
    let container = place.start(&["--stop-signal", "USR1"], ENDS);
    // As the program wrote it before this exercise.
    let before = [
        "id",
        "hostname",
        "rootfs",
        "command",
        "status",
        "created_at",
        "start_time",
        "pid",
        "boot_id",
        "exit_code",
        "log",
        "init",
    ];
    container.change_record(|record| record.retain(|field, _| before.contains(&field.as_str())));
    let listed = place.see(&["ps"]);
    assert!(
        listed.stdout.contains(&container.id),
        "ps should still be able to read a record without the new field. On stderr: {}",
        listed.stderr
    );
    let seen = place.see(&["stop", "-t", "30", &container.id]);
    assert_eq!(
        seen.code,
        Some(0),
        "stop should still be able to read a record without the new field: {}",
        seen.stderr
    );
    assert_eq!(
        container.log(),
        "ready\nterm\n",
        "a record that names no signal means SIGTERM"
    );
}

#[test]
#[ignore = "exercise"]
fn ex2_an_unknown_signal_is_refused_before_anything_starts() {
    let place = Place::new();
    // Or else every signal would be unknown.
    place.start(&["--stop-signal", "TERM"], ENDS);
    let before = place.count_records();
    for unknown in ["NONSENSE", "0"] {
        let mut run = place.tiny_docker(&["run", "--stop-signal", unknown, "echo", "started"]);
        let seen = Seen::from(run.output().unwrap());
        assert_ne!(
            seen.code,
            Some(0),
            "run --stop-signal {unknown} should fail"
        );
        assert_eq!(seen.stdout, "", "it should not start");
        assert_eq!(place.count_records(), before, "it should leave no record");
    }
}

// Exercise 3: rm [-f] ID…

#[test]
#[ignore = "exercise"]
fn ex3_the_records_of_ended_containers_are_removed() {
    let place = Place::new();
    let before = place.count_records();
    let ended = [place.start_and_end(), place.start_and_end()];
    let kept = place.start_and_end();
    // As everywhere, the beginning of an id will do. It is printed as it was typed.
    let [one, another] = [&ended[0].id, &ended[1].id[..8]];
    let seen = place.see(&["rm", one, another]);
    assert_eq!(
        (seen.code, seen.stdout),
        (Some(0), format!("{one}\n{another}\n")),
        "rm should print the ids, and exit 0. On stderr: {}",
        seen.stderr
    );
    for container in &ended {
        assert!(!container.is_listed(), "ps -a still lists it");
    }
    assert!(kept.is_listed(), "the third container should stay");
    assert_eq!(
        place.count_records(),
        before + 1,
        "something is left of the records"
    );
    let seen = place.see(&["rm", one]);
    assert_eq!(seen.code, Some(1), "there is no such container any more");
}

#[test]
#[ignore = "exercise"]
fn ex3_a_running_container_is_refused_and_goes_on() {
    let place = Place::new();
    let [running, ended] = [place.start(&[], GOES_ON), place.start_and_end()];
    let seen = place.see(&["rm", &running.id, &ended.id]);
    assert!(running.is_alive(), "without -f, it should go on");
    assert!(running.is_listed(), "ps -a should still list it");
    assert!(!ended.is_listed(), "the other one should be removed");
    seen.assert_refused(&running.id, &format!("{}\n", ended.id));
}

#[test]
#[ignore = "exercise"]
fn ex3_with_force_a_running_container_is_killed_first() {
    let place = Place::new();
    let before = place.count_records();
    let [running, ended] = [place.start(&[], GOES_ON), place.start_and_end()];
    let seen = place.see(&["rm", "-f", &running.id, &ended.id]);
    assert!(!running.is_alive(), "when rm -f returns, it should be dead");
    assert_eq!(
        (seen.code, seen.stdout),
        (Some(0), format!("{}\n{}\n", running.id, ended.id)),
        "rm -f should print the ids, and exit 0. On stderr: {}",
        seen.stderr
    );
    assert_eq!(
        place.count_records(),
        before,
        "something is left of the records"
    );
}

#[test]
#[ignore = "exercise"]
fn ex3_a_record_that_is_in_other_hands_is_waited_for() {
    let place = Place::new();
    let container = place.start_and_end();
    let lock = File::open(container.directory().join("lock")).unwrap();
    lock.lock().unwrap();
    let mut rm = place.tiny_docker(&["rm", &container.id]);
    let rm = rm.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut rm = rm.spawn().unwrap();
    // Long enough for a program that does not wait.
    sleep(Duration::from_millis(500));
    let waited = rm.try_wait().unwrap().is_none();
    let there = container.directory().join("config.json").exists();
    drop(lock);
    let seen = Seen::from(rm.wait_with_output().unwrap());
    assert_ne!(
        seen.code,
        Some(2),
        "rm is not understood yet:\n{}",
        seen.stderr
    );
    assert!(
        there,
        "the record was removed while another process had it locked, and may have been writing to it"
    );
    assert!(
        waited,
        "rm should wait until the lock is free. On stderr: {}",
        seen.stderr
    );
    assert_eq!(seen.code, Some(0), "then it goes on: {}", seen.stderr);
    assert!(!container.is_listed(), "ps -a still lists it");
}

#[test]
#[ignore = "exercise"]
fn ex3_a_process_that_has_got_the_pid_since_is_left_alone() {
    let place = Place::new();
    let container = place.start_and_end();
    let mut stranger = Stranger::start();
    // As a run that was itself killed has left it.
    container.change_record(|record| {
        record["status"] = "running".into();
        record["pid"] = stranger.0.id().into();
        record["start_time"] = 1.into();
    });
    let seen = place.see(&["rm", "-f", &container.id]);
    assert!(
        !stranger.has_ended(),
        "the record has the pid of a container that has ended, and rm -f has killed the process that has that \
         pid now"
    );
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(!container.is_listed(), "ps -a still lists it");
}
