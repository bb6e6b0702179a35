//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A state directory for one test. No container in it outlives the test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        place.see(&["run", "--net", "isolated", "--rm", "true"]);
        place
    }

    /// What `tiny-docker ARGUMENTS…` prints. It should succeed.
    fn see(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
        command.args(arguments).stdin(Stdio::null());
        command.env("TINY_DOCKER_ROOT", self.0.path());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let typed = arguments.join(" ");
        assert!(output.status.success(), "tiny-docker {typed}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn start(&self, name: &str, script: &str) {
        let isolated = ["run", "-d", "--net", "isolated", "--name", name];
        self.see(&[&isolated[..], &["sh", "-c", script]].concat());
    }

    /// `stats`, as one object for each row.
    fn stats(&self, options: &[&str]) -> Vec<Value> {
        let command = ["stats", "--no-stream", "--format", "json"];
        let lines = self.see(&[&command[..], options].concat());
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    /// The same with --total, until its row counts so many processes.
    fn total(&self, options: &[&str], tasks: &str) -> Vec<Value> {
        for _ in 0..20 {
            let rows = self.stats(&[options, &["--total"]].concat());
            let total = rows.last().expect("there should be a row for the total");
            assert_eq!(total["ID"], "TOTAL", "the last row should be the total's");
            if total["PIDs"] == tasks {
                return rows;
            }
        }
        panic!("the total should have counted {tasks} processes");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in ["one", "three"] {
            let mut rm = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
            rm.args(["rm", "-f", name]).stderr(Stdio::null());
            let _ = rm.env("TINY_DOCKER_ROOT", self.0.path()).output();
        }
    }
}

/// The percentage in a field.
fn percent(row: &Value, field: &str) -> f64 {
    let text = row[field].as_str().unwrap();
    text.trim_end_matches('%').parse().unwrap()
}

#[test]
#[ignore = "exercise 1: stats --total"]
fn ex1_the_last_row_is_the_sum() {
    let place = Place::new();
    place.start("one", "exec sleep 600");
    place.start("three", "sleep 600 & while :; do :; done & wait");
    let rows = place.total(&[], "4");
    assert_eq!(rows.len(), 3, "two containers, and the total");
    let total = &rows[2];
    for field in ["CPUPerc", "MemPerc"] {
        let sum = percent(&rows[0], field) + percent(&rows[1], field);
        let off = (percent(total, field) - sum).abs();
        assert!(off < 0.03, "the sum of {field} should be {sum}: {total}");
    }
    assert!(percent(total, "CPUPerc") > 1.0, "one is busy: {total}");
    let limit = |row: &Value| {
        row["MemUsage"]
            .as_str()
            .unwrap()
            .split_once(" / ")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(
        limit(total),
        limit(&rows[0]),
        "two containers without a limit share one machine's memory"
    );
    assert_eq!(total["NetIO"], "0B / 0B");
    // In a table, it is the last line.
    let table = place.see(&["stats", "--no-stream", "--total"]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(
        lines.len(),
        4,
        "headings, two containers, the total:\n{table}"
    );
    assert!(lines[3].starts_with("TOTAL "), "{table}");
    // Whoever does not ask does not get it.
    assert_eq!(place.stats(&[]).len(), 2);
}

#[test]
#[ignore = "exercise 1: stats --total"]
fn ex1_what_has_ended_uses_nothing() {
    let place = Place::new();
    let nothing = place.total(&[], "0");
    assert_eq!((nothing.len(), percent(&nothing[0], "CPUPerc")), (1, 0.0));
    place.start("one", "exec sleep 600");
    place.see(&["run", "--net", "isolated", "true"]);
    assert_eq!(place.total(&["-a"], "1").len(), 3);
    // Of those that are asked for.
    place.start("three", "sleep 600 & sleep 600 & wait");
    assert_eq!(place.total(&["one"], "1").len(), 2);
}
