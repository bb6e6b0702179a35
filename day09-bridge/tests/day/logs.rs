//! What `logs` prints, and when.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::need_namespaces;
use crate::support::{Detached, Running, see, shell, state, tiny_docker, wait_until};

/// `logs -f ID`, whose output can be read line by line.
fn follow(container: &Detached) -> (Running, BufReader<std::process::ChildStdout>) {
    let mut running = Running::start(&mut tiny_docker(&["logs", "-f", &container.id]));
    let output = BufReader::new(running.0.stdout.take().unwrap());
    (running, output)
}

#[test]
fn logs_shows_what_went_to_stdout_and_stderr() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "echo out; echo err >&2; echo out again"]);
    container.wait_for_its_end();
    let seen = see(&["logs", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(seen.stdout, @"
    out
    err
    out again
    ");
}

#[test]
fn the_log_is_kept_byte_for_byte() {
    need_namespaces!();
    let script = "head -c 67108864 /dev/urandom | tee /tmp/copy; sha256sum </tmp/copy >/tmp/sum; rm /tmp/copy";
    let script = script.replace("/tmp/", &format!("/tmp/{}-", std::process::id()));
    let container = Detached::start(&["sh", "-c", &script]);
    let seen = shell(&format!(
        "$TD logs -f {0} | sha256sum; $TD logs {0} | sha256sum; $TD logs {0} >$TINY_DOCKER_ROOT/file; sha256sum <$TINY_DOCKER_ROOT/file",
        container.id
    ));
    container.wait_for_its_end();
    let sum = state().join(format!("rootfs/default/tmp/{}-sum", std::process::id()));
    let expected = fs::read_to_string(&sum).unwrap();
    fs::remove_file(sum).unwrap();
    assert_eq!(fs::metadata(container.log()).unwrap().len(), 67_108_864);
    assert_eq!(seen.stdout, expected.repeat(3));
}

#[test]
fn any_unique_prefix_of_the_id_will_do() {
    need_namespaces!();
    let container = Detached::start(&["echo", "hello"]);
    container.wait_for_its_end();
    for length in [1, 3, 12] {
        assert_eq!(see(&["logs", &container.id[..length]]).stdout, "hello\n");
    }
}

#[test]
fn an_id_that_means_no_container_or_several_gets_its_own_message() {
    need_namespaces!();
    // There are more of them than first digits, so two begin with the same one.
    let ids: Vec<_> = (0..17).map(|_| Detached::start(&["true"])).collect();
    let mut messages = String::new();
    for id in ["", "../x", "ABC", "ffffffffffff"] {
        let seen = see(&["logs", id]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
        messages += &seen.stderr;
    }
    assert_snapshot!(messages, @"
    tiny-docker: cannot show the log of : the id is empty
    tiny-docker: cannot show the log of ../x: no such container
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot show the log of ABC: no such container
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot show the log of ffffffffffff: no such container
    hint: tiny-docker ps -a lists all containers
    ");

    let ambiguous = ids.iter().map(|container| &container.id[..1]);
    let ambiguous = ambiguous.map(|digit| {
        (
            digit,
            ids.iter()
                .filter(|other| other.id.starts_with(digit))
                .count(),
        )
    });
    let (digit, count) = ambiguous.max_by_key(|(_, count)| *count).unwrap();
    let seen = see(&["logs", digit]);
    assert_eq!(seen.code, Some(1));
    let expected = format!(
        "tiny-docker: cannot show the log of {digit}: {count} ids begin with it, for example {digit}"
    );
    assert!(seen.stderr.starts_with(&expected), "{}", seen.stderr);
    assert_eq!(seen.stderr.lines().count(), 1);
}

#[test]
fn a_container_that_ran_in_the_foreground_has_none() {
    need_namespaces!();
    see(&["run", "echo", "hello"]);
    let id = crate::support::only_record();
    let id = id.file_name().unwrap().to_str().unwrap();
    let seen = see(&["logs", id]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    assert_snapshot!(seen.stderr.replace(id, "ID"), @"tiny-docker: cannot show the log of ID: it ran in the foreground, so its output was not recorded");
}

#[test]
fn follow_shows_lines_as_they_come_and_ends_with_the_container() {
    need_namespaces!();
    let container = Detached::start(&[
        "sh",
        "-c",
        "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; printf last",
    ]);
    let (mut running, mut output) = follow(&container);
    let mut all = String::new();
    output.read_to_string(&mut all).unwrap();
    assert_eq!(all, "1\n2\n3\n4\n5\nlast");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn follow_loses_no_last_line() {
    need_namespaces!();
    for _ in 0..30 {
        let container = Detached::start(&[
            "sh",
            "-c",
            "echo first; sleep 0.02; (sleep 0.01; echo late) & wait; echo last",
        ]);
        assert_eq!(
            see(&["logs", "-f", &container.id]).stdout,
            "first\nlate\nlast\n"
        );
    }
}

#[test]
fn follow_sleeps_while_nothing_happens() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "echo ready; exec sleep 1000"]);
    let (running, mut output) = follow(&container);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let clock = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap();
        let fields: Vec<_> = stat.split_whitespace().collect();
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        let switches: String = status
            .lines()
            .filter(|line| line.contains("ctxt"))
            .collect();
        (fields[13].to_owned(), fields[14].to_owned(), switches)
    };
    wait_until("it asleep", || {
        fs::read_to_string(format!("/proc/{}/wchan", running.pid()))
            .is_ok_and(|place| place.contains("poll"))
    });
    let before = clock();
    sleep(Duration::from_secs(1));
    // It has not even woken up.
    assert_eq!(clock(), before);
}

#[test]
fn a_reader_that_has_had_enough_ends_logs_quietly() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "yes | head -n 100000; exec sleep 1000"]);
    wait_until("all lines", || {
        fs::metadata(container.log()).unwrap().len() == 200_000
    });
    // Even with -f, although the container no longer writes.
    for follow in ["", "-f"] {
        let seen = shell(&format!(
            "timeout 30 $TD logs {follow} {} | head -n 1; echo over",
            container.id
        ));
        assert_eq!(
            (seen.stdout.as_str(), seen.stderr.as_str()),
            ("y\nover\n", "")
        );
    }
    // What has been printed fits into the pipe, so no write would notice that the reader is gone.
    let container = Detached::start(&["sh", "-c", "echo y; exec sleep 1000"]);
    let seen = shell(&format!(
        "(timeout 30 $TD logs -f {}; echo $? >&2) | head -n 1",
        container.id
    ));
    assert_eq!(seen.stderr, "0\n");
}

#[test]
fn whoever_opens_the_log_again_overwrites_nothing() {
    need_namespaces!();
    // As nginx does: its logs are links to /dev/stdout.
    let container = Detached::start(&["sh", "-c", "echo 1; echo 2 >>/dev/stdout; echo 3"]);
    container.wait_for_its_end();
    assert_eq!(see(&["logs", &container.id]).stdout, "1\n2\n3\n");
}

#[test]
fn without_follow_it_ends_where_the_log_ended_when_it_was_asked() {
    need_namespaces!();
    let script = "head -c 1000000 /dev/zero; exec sleep 100";
    let container = Detached::start(&["sh", "-c", script]);
    let log = container.log();
    wait_until("all of it", || log.metadata().unwrap().len() == 1_000_000);
    // More than fits into the pipe, so it is still printing after the first byte.
    let mut logs = tiny_docker(&["logs", &container.id])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = logs.stdout.take().unwrap();
    printed.read_exact(&mut [0]).unwrap();
    File::options()
        .append(true)
        .open(log)
        .unwrap()
        .write_all(b"later")
        .unwrap();
    let mut rest = Vec::new();
    printed.read_to_end(&mut rest).unwrap();
    assert!(logs.wait().unwrap().success());
    assert_eq!(rest.len(), 999_999);
}

#[test]
fn a_full_output_is_an_error() {
    need_namespaces!();
    let container = Detached::start(&["echo", "hello"]);
    container.wait_for_its_end();
    let mut logs = tiny_docker(&["logs", &container.id]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = logs.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_snapshot!(message.replace(&container.id, "ID"), @"tiny-docker: cannot show the log of ID: No space left on device (os error 28)");
}

#[test]
fn a_log_that_is_gone_is_an_error() {
    need_namespaces!();
    let container = Detached::start(&["echo", "hello"]);
    container.wait_for_its_end();
    fs::remove_file(container.log()).unwrap();
    let seen = see(&["logs", &container.id]);
    assert_eq!(seen.code, Some(1));
    let message = seen
        .stderr
        .replace(&container.id, "ID")
        .replace(state().to_str().unwrap(), "STATE");
    assert_snapshot!(message, @"tiny-docker: cannot show the log of ID: cannot open STATE/containers/ID/container.log: No such file or directory (os error 2)");
}

#[test]
fn nothing_but_the_containers_own_log_is_printed() {
    need_namespaces!();
    let container = Detached::start(&["echo", "hello"]);
    container.wait_for_its_end();
    let secret = state().join("secret");
    fs::write(&secret, "a secret").unwrap();
    let mut record = container.record();
    record["log"] = secret.to_str().unwrap().into();
    let config = container.log().with_file_name("config.json");
    fs::write(config, record.to_string()).unwrap();
    assert_eq!(see(&["logs", &container.id]).stdout, "hello\n");
}

#[test]
fn two_can_follow_and_neither_changes_the_record() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "echo ready; exec sleep 1000"]);
    let before = container.record();
    let mut followers = [follow(&container), follow(&container)];
    for (_, output) in &mut followers {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
    }
    assert_eq!(container.record(), before);
    kill(Pid::from_raw(container.pid()), Signal::SIGKILL).unwrap();
    for (mut running, _) in followers {
        assert_eq!(running.0.wait().unwrap().code(), Some(0));
    }
}
