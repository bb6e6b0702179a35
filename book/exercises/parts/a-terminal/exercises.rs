//! The grader for the exercise of this part. It fails until the exercise is solved, and says what it misses.

use std::fs;
use std::process::{Command, Output, Stdio};

use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let built = place.see("$TD run --net isolated true");
        assert!(built.status.success(), "no container starts");
        place
    }

    /// A shell with `$TD` for the program, and `$FILE` for the file.
    fn shell(&self, script: &str) -> Command {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]);
        sh.env("TD", env!("CARGO_BIN_EXE_tiny-docker"));
        sh.env("TINY_DOCKER_ROOT", self.0.path().join("state"));
        sh.env("FILE", self.file());
        sh
    }

    fn see(&self, script: &str) -> Output {
        self.shell(script).stdin(Stdio::null()).output().unwrap()
    }

    fn terminal(&self, script: &str) -> PtySession {
        spawn_command(self.shell(script), Some(30_000)).unwrap()
    }

    fn file(&self) -> String {
        self.0.path().join("file").to_str().unwrap().to_owned()
    }

    fn recorded(&self) -> String {
        let file = fs::read(self.file()).expect("there should be a file");
        String::from_utf8_lossy(&file).into_owned()
    }
}

#[test]
#[ignore = "exercise 1: for the record"]
fn ex1_what_is_printed_is_recorded_and_what_is_typed_is_not() {
    let place = Place::new();
    fs::write(
        place.file(),
        "from before, and far longer than what comes now",
    )
    .unwrap();
    let script = "printf \"\\033[1mhello\\033[m\\n\"; stty -echo; echo password?; read word; stty echo; \
        echo name?; read name; echo you are $name";
    let mut user = place.terminal(&format!(
        "$TD run --net isolated -it --record $FILE sh -c '{script}'; echo code $?"
    ));
    let asked = user.exp_string("password?\r\n");
    assert!(asked.is_ok(), "the container does not start");
    user.send_line("secret").unwrap();
    user.exp_string("name?\r\n").unwrap();
    user.send_line("somebody").unwrap();
    let shown = user.exp_string("code 0").unwrap();
    assert!(
        shown.contains("you are somebody"),
        "it should still be shown"
    );
    let recorded = place.recorded();
    assert!(
        !recorded.contains("from before"),
        "the file should be emptied"
    );
    assert!(
        !recorded.contains("secret"),
        "the password was recorded: {recorded:?}"
    );
    assert!(
        recorded.starts_with("\x1b[1mhello\x1b[m\r\npassword?\r\n"),
        "it should be recorded byte for byte: {recorded:?}"
    );
    assert!(
        recorded.contains("you are somebody\r\n"),
        "the end is missing: {recorded:?}"
    );
    assert_eq!(
        recorded.matches("somebody").count(),
        2,
        "once the echo, once the answer: {recorded:?}"
    );

    // Nobody types, and nobody reads: to the last byte, even if the reader has had enough.
    let seen = place.see("$TD run --net isolated -t --record $FILE seq 30000 | wc -l");
    assert_eq!(String::from_utf8_lossy(&seen.stdout).trim(), "30000");
    let recorded = place.recorded();
    assert_eq!(recorded.lines().count(), 30000, "lines were lost");
    assert!(recorded.ends_with("\r\n30000\r\n"), "the end was lost");

    let seen = place.see("$TD run --net isolated -t --record /dev/full echo still here");
    assert_eq!(
        seen.status.code(),
        Some(0),
        "a full disk must not end the container"
    );
    assert_eq!(String::from_utf8_lossy(&seen.stdout), "still here\r\n");

    let seen = place.see("$TD run --net isolated -t --record $FILE/x echo it has started");
    let error = String::from_utf8_lossy(&seen.stderr);
    assert_eq!(
        (seen.status.code(), seen.stdout.as_slice()),
        (Some(125), &b""[..]),
        "{error}"
    );
    assert!(
        error.lines().count() == 1 && error.contains("file/x"),
        "one line, with the file: {error}"
    );
    let left = place.see("$TD ps -a | wc -l");
    assert_eq!(
        String::from_utf8_lossy(&left.stdout).trim(),
        "5",
        "it should leave no record"
    );

    let seen = place.see("$TD run --net isolated --record $FILE echo it has started");
    assert_eq!(seen.stdout, b"", "--record without -t should be refused");
    assert!(!seen.status.success());
}
