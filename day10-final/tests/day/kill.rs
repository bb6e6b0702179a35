//! `kill`: a signal for PID 1.

use insta::assert_snapshot;

use crate::need_namespaces;
use crate::support::{Detached, rounds, see, shell, wait_until};

/// A container that prints each signal it receives.
fn listener() -> Detached {
    let line = "for s in HUP INT USR1 USR2 TERM WINCH 34 37 63 64; do trap \"echo $s\" $s; done; echo ready; while :; do sleep 0.05; done";
    let container = Detached::start(&["--net", "isolated", "sh", "-c", line]);
    wait_until("it listening", || said(&container) == "ready\n");
    container
}

fn said(container: &Detached) -> String {
    see(&["logs", &container.id]).stdout
}

#[test]
fn a_signal_has_a_number_and_names() {
    need_namespaces!();
    let container = listener();
    let mut heard = "ready\n".to_owned();
    for (typed, name) in [
        ("USR1", "USR1"),
        ("SIGUSR2", "USR2"),
        ("usr1", "USR1"),
        ("sigterm", "TERM"),
        ("1", "HUP"),
        ("2", "INT"),
        ("SigWinch", "WINCH"),
        ("37", "37"),
        ("SIGRTMIN+3", "37"),
        ("rtmin", "34"),
        ("RTMAX-1", "63"),
        ("sigrtmax", "64"),
    ] {
        let seen = see(&["kill", "-s", typed, &container.id]);
        assert_eq!(
            (seen.code, seen.stdout, seen.stderr.as_str()),
            (Some(0), format!("{}\n", container.id), ""),
            "{typed}"
        );
        heard += &format!("{name}\n");
        wait_until(name, || said(&container) == heard);
    }
    assert!(
        container.is_running(),
        "what becomes of it is its own business"
    );
}

#[test]
fn the_default_is_the_one_that_nothing_survives() {
    need_namespaces!();
    let container = listener();
    let seen = see(&["kill", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    container.wait_for_its_end();
    let record = container.record();
    // By itself, as in Docker: `stop` has not stopped it.
    assert_eq!(
        (&record["exit_code"], &record["status"]),
        (&137.into(), &"exited".into())
    );
}

#[test]
fn scripts_spell_it_in_many_ways() {
    need_namespaces!();
    for spelling in [
        "-s 9",
        "-s9",
        "-s KILL",
        "--signal 9",
        "--signal=SIGKILL",
        "-s=kill",
    ] {
        let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
        let seen = shell(&format!("$TD kill {spelling} {}", container.id));
        assert_eq!(
            (seen.code, seen.stderr.as_str()),
            (Some(0), ""),
            "{spelling}"
        );
        assert_eq!(container.record()["exit_code"], 137, "{spelling}");
    }
}

#[test]
fn with_init_the_command_receives_it() {
    need_namespaces!();
    let container = Detached::start(&[
        "--net",
        "isolated",
        "--init",
        "sh",
        "-c",
        "trap 'echo heard; exit 7' USR1; echo ready; while :; do sleep 0.05; done",
    ]);
    wait_until("it listening", || said(&container) == "ready\n");
    assert_eq!(see(&["kill", "--signal=USR1", &container.id]).code, Some(0));
    container.wait_for_its_end();
    assert_eq!(
        (said(&container).as_str(), &container.record()["exit_code"]),
        ("ready\nheard\n", &7.into())
    );
}

#[test]
fn each_receives_it_and_each_error_is_reported() {
    need_namespaces!();
    let [first, second, ended] =
        [(); 3].map(|()| Detached::start(&["--net", "isolated", "sleep", "1000"]));
    see(&["stop", "-t", "0", &ended.id]);
    let seen = see(&["kill", "nope", &first.id, &ended.id, "", &second.id]);
    assert_eq!(seen.code, Some(1));
    assert_eq!(seen.stdout, format!("{}\n{}\n", first.id, second.id));
    assert_snapshot!(seen.stderr.replace(&ended.id, "ENDED"), @"
    tiny-docker: cannot kill nope: no such container
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot kill ENDED: it is not running
    tiny-docker: cannot kill '': the id is empty
    ");
    first.wait_for_its_end();
    second.wait_for_its_end();
    assert_eq!(ended.record()["status"], "stopped", "as it was");
}

#[test]
fn an_invalid_signal_is_sent_to_nobody() {
    need_namespaces!();
    let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    for signal in [
        "NOPE",
        "",
        "0",
        "-1",
        "65",
        "RTMIN-1",
        "RTMIN+31",
        "RTMAX+1",
        "RTMIN+",
        "999999999999",
        "SIG",
        "SIGSIGKILL",
        "KILL ",
    ] {
        let signal = format!("--signal={signal}");
        let seen = see(&["kill", &signal, &container.id]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""), "{signal}");
        let said = seen.stderr;
        assert!(said.starts_with("tiny-docker: no such signal: "), "{said}");
        assert!(said.ends_with("\nhint: kill -l lists them\n"), "{said}");
    }
    assert!(container.is_running());
}

#[test]
fn a_killed_container_can_be_removed_at_once() {
    need_namespaces!();
    for _ in 0..rounds(10) {
        let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
        let seen = shell(&format!(
            "$TD kill {0} && $TD ps -a && $TD rm {0}",
            container.id
        ));
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        assert!(seen.stdout.contains("Exited (137)"), "{}", seen.stdout);
    }
}
