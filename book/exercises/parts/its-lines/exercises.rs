//! The grader for the exercise of this part. It fails until the exercise is solved, and says what it misses.

use std::process::{Command, Stdio};

use rexpect::session::spawn_command;
use tempfile::TempDir;

const TINY_DOCKER: &str = env!("CARGO_BIN_EXE_tiny-docker");

/// Turns the screen red, rings the bell, and takes a letter back: what a terminal would obey.
const PRINT: &str = r"printf '\033[41mred\t\a1\b2\177 \303\251\n'";
const OBEYED: &str = "\x1b[41mred\t\x071\x082\x7f é\n";
const HARMLESS: &str = "?[41mred\t?1?2? é";

fn state() -> TempDir {
    let state = TempDir::new().unwrap();
    let built = in_pipes(&state, "$TD run --net isolated true");
    assert_eq!(built, "", "no container starts");
    state
}

fn shell(state: &TempDir, script: &str) -> Command {
    let mut sh = Command::new("sh");
    sh.args(["-c", script]).env("TD", TINY_DOCKER);
    sh.env("PRINT", PRINT).env("TINY_DOCKER_ROOT", state.path());
    sh
}

/// What `script` prints where there is no terminal.
fn in_pipes(state: &TempDir, script: &str) -> String {
    let mut sh = shell(state, script);
    let seen = sh.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&seen.stdout).into_owned()
}

/// What a terminal gets from `script`, up to "over".
fn on_a_terminal(state: &TempDir, script: &str) -> String {
    let sh = shell(state, &format!("{script}; echo over"));
    let mut terminal = spawn_command(sh, Some(60_000)).unwrap();
    let seen = terminal.exp_string("over").unwrap();
    // It takes each byte for a character.
    let bytes = seen.trim_end().chars().map(|c| c as u8).collect();
    String::from_utf8(bytes).unwrap()
}

#[test]
#[ignore = "exercise 1: only text"]
fn ex1_a_terminal_gets_only_text() {
    let state = state();
    let run = "$TD run --net isolated --plain sh -c \"$PRINT\"";
    let without = on_a_terminal(&state, "$TD run --net isolated sh -c \"$PRINT\" </dev/null");
    assert!(without.contains('\x1b'), "without --plain, nothing changes");

    for (redirected, what) in [
        ("</dev/null", "with </dev/null"),
        ("2>/dev/null", "when stdin and stdout are a terminal"),
        ("", "when you sit at the terminal"),
    ] {
        let seen = on_a_terminal(&state, &format!("{run} {redirected}"));
        assert_eq!(seen, HARMLESS, "{what}, the terminal got this");
    }
    let seen = on_a_terminal(&state, &format!("{run} >&2 2>&1 </dev/null & wait"));
    assert_eq!(seen, HARMLESS, "in the background, the terminal got this");
    let only_stderr = "$TD run --net isolated --plain sh -c \"$PRINT >&2\" >/dev/null </dev/null";
    let seen = on_a_terminal(&state, only_stderr);
    assert_eq!(seen, HARMLESS, "as stderr, the terminal got this");

    // More than fits into one read(2), with an escape in each line.
    let many = "$TD run --net isolated --plain sh -c 'i=0; while [ $i -lt 2000 ]; do printf \"\\033[m$i\\n\"; i=$((i+1)); done'";
    let seen = on_a_terminal(&state, &format!("{many} </dev/null"));
    assert!(
        !seen.contains('\x1b'),
        "some escape characters came through"
    );
    assert_eq!(seen.lines().count(), 2000, "lines were lost");
    assert!(seen.ends_with("?[m1999"), "the last line is missing");

    let piped = in_pipes(&state, &format!("{run} | cat"));
    assert_eq!(
        piped, OBEYED,
        "a pipe must get what the container prints, unchanged"
    );
    let logged = in_pipes(
        &state,
        "id=$($TD run -d --net isolated --plain sh -c \"$PRINT\"); sleep 1; $TD logs $id",
    );
    assert_eq!(logged, OBEYED, "the log must not be changed");
    let typed = "sh -c 'read word; echo got $word'";
    let sh = shell(&state, &format!("$TD run --net isolated --plain {typed}"));
    let mut terminal = spawn_command(sh, Some(60_000)).unwrap();
    terminal.send_line("something").unwrap();
    assert!(
        terminal.exp_string("got something").is_ok(),
        "the container cannot read what you type"
    );
}
