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

/// A state directory for one test.
struct Place(TempDir);

impl Place {
    /// With three containers that have ended, and a fourth that runs: web-new.
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        for (name, command) in [("web-old", "true"), ("job-1", "exit 3"), ("job-2", "true")] {
            let run = ["run", "--net", "isolated", "--name", name];
            place.see(&[&run[..], &["sh", "-c", command]].concat());
        }
        let run = ["run", "--net", "isolated", "-d", "--name", "web-new"];
        let seen = place.see(&[&run[..], &["sleep", "1000"]].concat());
        assert_eq!(seen.code, Some(0), "no container starts: {}", seen.stderr);
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

    /// That `ps` with these `options` lists the containers with these `names`, the newest first.
    fn expect(&self, options: &str, names: &str) {
        let mut arguments = vec!["ps"];
        arguments.extend(options.split_whitespace());
        let seen = self.see(&arguments);
        let rows = seen.stdout.lines().skip(1);
        let listed: Vec<_> = rows
            .filter_map(|row| row.split_whitespace().last())
            .collect();
        assert_eq!(
            (seen.code, listed.join(" ").as_str()),
            (Some(0), names),
            "tiny-docker ps {options} should list other containers. On stderr: {}",
            seen.stderr
        );
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.see(&["rm", "-f", "web-new"]);
    }
}

#[test]
#[ignore = "exercise 1: ps --filter"]
fn ex1_ps_lists_those_with_a_status_or_a_name() {
    let place = Place::new();
    place.expect("--filter status=running", "web-new");
    // Nobody who asks for these needs to type -a.
    place.expect("--filter status=exited", "job-2 job-1 web-old");
    place.expect("-f status=created", "");
    place.expect("-a -f name=web", "web-new web-old");
    place.expect("-f name=web", "web-new");
    place.expect("-a -f name=b-", "web-new job-2 job-1 web-old");
    place.expect("-f name=nobody", "");
}

#[test]
#[ignore = "exercise 1: ps --filter"]
fn ex1_filters_of_one_kind_add_up_and_those_of_two_do_not() {
    let place = Place::new();
    place.expect("-a -f name=old -f name=new", "web-new web-old");
    place.expect(
        "-f status=running -f status=exited -f name=web",
        "web-new web-old",
    );
    place.expect("-f status=exited -f name=web", "web-old");
    place.expect("-f status=exited -f name=new", "");
    // The last ones are the last of those that match.
    place.expect("-n 1 -f status=exited", "job-2");
    place.expect("-l -f name=web-old", "web-old");
}

#[test]
#[ignore = "exercise 1: ps --filter"]
fn ex1_an_unknown_filter_is_a_usage_error() {
    let place = Place::new();
    place.expect("-f status=running", "web-new");
    for wrong in ["colour=red", "status", "status=asleep"] {
        let seen = place.see(&["ps", "-f", wrong]);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "ps -f {wrong} should be refused. On stderr: {}",
            seen.stderr
        );
    }
}
