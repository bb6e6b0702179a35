//! The grader for the exercise of this part. It fails until the exercise is solved, and says what it misses.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

/// Begins with another key for suspending than Ctrl-Z.
const FIRST: &str = "stty susp ^Y; set -m;";

/// A state directory. Whatever still runs with it ends with it: a stopped job outlives its terminal.
struct State(TempDir);

impl State {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let root = format!("TINY_DOCKER_ROOT={}", self.path().display());
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            let pid = process.file_name().to_string_lossy().parse();
            if let Ok(pid) = pid
                && variables.any(|variable| variable == root.as_bytes())
            {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

fn state() -> State {
    let state = State(TempDir::new().unwrap());
    let mut run = Command::new("sh");
    run.args(["-c", "$TD run --net isolated true"]);
    set_up(&mut run, &state);
    let status = run.stdin(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "no container starts");
    state
}

fn set_up(command: &mut Command, state: &State) {
    command.env("TD", env!("CARGO_BIN_EXE_tiny-docker"));
    command.env("TINY_DOCKER_ROOT", state.path());
}

/// A terminal at which a shell with job control runs `script`.
fn terminal(state: &State, script: &str) -> PtySession {
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("{FIRST} {script}")]);
    set_up(&mut bash, state);
    spawn_command(bash, Some(20_000)).unwrap()
}

/// What the terminal shows up to `word`, or a message that says `otherwise`.
fn expect(terminal: &mut PtySession, word: &str, otherwise: &str) -> String {
    let shown = terminal.exp_string(word);
    shown.unwrap_or_else(|error| panic!("{otherwise}: {error}"))
}

#[test]
#[ignore = "exercise 1: a key for the container"]
fn ex1_the_key_does_nothing_until_the_container_has_ended() {
    let state = state();
    let wait = "sh -c 'echo ready; sleep 2; echo over'";

    // Without the option, nothing changes.
    let mut user = terminal(
        &state,
        &format!("$TD run --net isolated {wait}; jobs; kill -KILL %1"),
    );
    expect(&mut user, "ready", "the container does not start");
    user.send_control('y').unwrap();
    expect(
        &mut user,
        "Stopped",
        "without --no-suspend, the key should stop the job",
    );

    let mut user = terminal(
        &state,
        &format!("$TD run --net isolated --no-suspend {wait}; stty -a; echo end"),
    );
    expect(
        &mut user,
        "ready",
        "with --no-suspend, the container does not start",
    );
    user.send_control('y').unwrap();
    let shown = expect(&mut user, "over", "the key has stopped the container");
    assert!(!shown.contains("Stopped"), "the key has stopped the job");
    let shown = expect(&mut user, "end", "the shell does not go on");
    assert!(
        shown.contains("susp = ^Y"),
        "afterwards, the key should be the one that the user has set:{shown}"
    );

    // Afterwards it works again.
    let mut user = terminal(
        &state,
        "$TD run --net isolated --no-suspend true; echo ready; sleep 5; jobs; kill -KILL %1",
    );
    expect(&mut user, "ready", "the shell does not go on");
    sleep(Duration::from_millis(500));
    user.send_control('y').unwrap();
    expect(
        &mut user,
        "Stopped",
        "afterwards, the key should work again",
    );

    // Ctrl-C is another key.
    let mut user = terminal(
        &state,
        "$TD run --net isolated --no-suspend sh -c 'trap \"exit 3\" INT; echo ready; sleep 10'; echo code $?",
    );
    expect(
        &mut user,
        "ready",
        "with --no-suspend, the container does not start",
    );
    user.send_control('c').unwrap();
    expect(&mut user, "code 3", "Ctrl-C does not reach the command");
}
