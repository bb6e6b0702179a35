//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a user sees of a finished command.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A state directory for one test, with a container that runs, `up`, and one that has ended, `gone`.
struct Place(TempDir);

/// A terminal would obey this.
const CLEAR: &str = "/tmp/\u{1b}[2J";

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let run = ["run", "--net", "isolated", "--hostname", "box", "--name"];
        let up = ["up", "-d", "-w", CLEAR, "-e", "A=1", "sleep", "1000"];
        let seen = place.see(&[&run[..], &up].concat());
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
        place.see(&[&run[..], &["gone", "sh", "-c", "exit 7"]].concat());
        place
    }

    /// Runs `tiny-docker ARGUMENTS…` to its end.
    fn see(&self, arguments: &[&str]) -> Seen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        let output = command
            .env("TINY_DOCKER_ROOT", self.0.path())
            .output()
            .unwrap();
        Seen {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What `inspect -f TEMPLATE` prints about the containers with these `names`.
    fn selected(&self, template: &str, names: &[&str]) -> String {
        let seen = self.see(&[&["inspect", "-f", template], names].concat());
        assert_eq!(
            seen.code,
            Some(0),
            "inspect -f '{template}': {}",
            seen.stderr
        );
        seen.stdout
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.see(&["rm", "-f", "up"]);
    }
}

#[test]
#[ignore = "exercise 1: inspect -f"]
fn ex1_one_value_is_printed_for_each_container() {
    let place = Place::new();
    let both = ["up", "gone"];
    assert_eq!(
        place.selected("{{.State.Status}}", &both),
        "running\nexited\n"
    );
    assert_eq!(place.selected("{{.Config.Hostname}}", &both), "box\nbox\n");
    assert_eq!(place.selected("{{ .State.ExitCode }}", &["gone"]), "7\n");
    assert_eq!(place.selected("{{.State.Running}}", &both), "true\nfalse\n");
    assert_eq!(
        place.selected("{{.Args}}", &["gone"]),
        "[\"-c\",\"exit 7\"]\n"
    );
    let pid = place.selected("{{.State.Pid}}", &["up"]);
    assert!(pid.trim().parse::<u32>().is_ok_and(|pid| pid > 0), "{pid}");
    let all = place.see(&["inspect", "up"]).stdout;
    assert!(
        all.starts_with("[\n"),
        "without -f, everything is as before"
    );
}

#[test]
#[ignore = "exercise 1: inspect -f"]
fn ex1_what_does_not_exist_is_an_error() {
    let place = Place::new();
    let seen = place.see(&["inspect", "-f", "{{.State.Nothing}}", "up"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    assert!(seen.stderr.contains("Nothing"), "{}", seen.stderr);
    // The others are still shown.
    let seen = place.see(&["inspect", "-f", "{{.Name}}", "nobody", "up"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), "/up\n"));
    for wrong in ["", "State", "{{}}", "{{.Name}} {{.Id}}", "{{.Name"] {
        let seen = place.see(&["inspect", "-f", wrong, "up"]);
        assert_eq!(seen.code, Some(125), "'{wrong}': {}", seen.stderr);
    }
}

#[test]
#[ignore = "exercise 1: inspect -f"]
fn ex1_a_terminal_obeys_nothing_of_it() {
    let place = Place::new();
    for template in ["{{.Config.WorkingDir}}", "{{.Config}}"] {
        let line = place.selected(template, &["up"]);
        assert!(line.contains("[2J"), "it should be shown: {line:?}");
        assert_eq!(line.lines().count(), 1, "{line:?}");
        let obeyed = |c: char| c.is_control() && c != '\n';
        assert!(!line.contains(obeyed), "{template}: {line:?}");
    }
}
