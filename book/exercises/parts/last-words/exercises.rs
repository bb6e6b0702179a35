//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::process::{Command, Stdio};

/// The hint of `tiny-docker ARGUMENTS…`, which does nothing but say it.
fn hint(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-docker"));
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let right = output.status.code() == Some(1)
        && said.contains("container is not supported: its subcommands are commands of their own");
    assert!(right, "{arguments:?}: {:?}, {said}", output.status);
    let hint = said.lines().find_map(|line| line.strip_prefix("hint: "));
    hint.unwrap_or_default().to_owned()
}

fn expect(arguments: &[&str], instead: &str) {
    assert_eq!(hint(arguments), instead, "the hint for {arguments:?}");
}

#[test]
#[ignore = "exercise 1: the exact answer"]
fn ex1_the_hint_is_what_to_type() {
    expect(&["container", "ls"], "tiny-docker ps");
    expect(&["container", "list", "-a"], "tiny-docker ps -a");
    expect(&["container", "ps", "-aq"], "tiny-docker ps -aq");
    expect(
        &[
            "container",
            "run",
            "--rm",
            "-p",
            "127.0.0.1:80:80/tcp",
            "alpine:3.20",
            "ls",
        ],
        "tiny-docker run --rm -p 127.0.0.1:80:80/tcp alpine:3.20 ls",
    );
    for command in [
        "exec", "export", "inspect", "kill", "logs", "prune", "rm", "stats", "stop", "wait",
    ] {
        expect(
            &["container", command, "web"],
            &format!("tiny-docker {command} web"),
        );
    }
    expect(
        &["--root", "/tmp", "container", "rm", "container"],
        "tiny-docker --root /tmp rm container",
    );
}

#[test]
#[ignore = "exercise 1: the exact answer"]
fn ex1_a_shell_reads_the_same_words() {
    expect(
        &[
            "container",
            "run",
            "-e",
            "A=b c",
            "alpine",
            "sh",
            "-c",
            r#"echo "it's" $A"#,
        ],
        r#"tiny-docker run -e 'A=b c' alpine sh -c 'echo "it'\''s" $A'"#,
    );
    expect(
        &["container", "exec", "web", "echo", ""],
        "tiny-docker exec web echo ''",
    );
    // bash says what it makes of the words.
    let words = [
        "container",
        "exec",
        "a",
        "*",
        "~",
        "'",
        "''x",
        "a;b",
        "$(c)",
        "\\",
        "{1,2}",
        "#",
    ];
    let line = hint(&words).replacen("tiny-docker", "printf '%s\\n'", 1);
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    assert_eq!(read.lines().collect::<Vec<_>>(), words[1..], "{line}");
}

#[test]
#[ignore = "exercise 1: the exact answer"]
fn ex1_any_other_subcommand_has_the_hint_from_before() {
    expect(&["container", "ls"], "tiny-docker ps");
    for other in [
        &["container"][..],
        &["container", "rename", "a", "b"],
        &["container", "cp"],
    ] {
        expect(other, "tiny-docker ps, rm, prune, …");
    }
}
