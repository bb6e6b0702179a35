//! What `stop` does, and what it does not.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::need_namespaces;
use crate::support::{
    Detached, Running, Seen, leave_to, only_record, processes_with, see, shell, state, suspend,
    tiny_docker, wait_until,
};

/// Once it has printed "ready", it ends with exit code 5 on SIGTERM.
const POLITE: &str = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done";

fn start_polite() -> Detached {
    let container = Detached::start(&["sh", "-c", POLITE]);
    wait_until("it ready", || {
        see(&["logs", &container.id]).stdout == "ready\n"
    });
    container
}

#[test]
fn stop_lets_the_program_finish() {
    need_namespaces!();
    let container = start_polite();
    let seen = see(&["stop", &container.id[..6]]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    // Docker, too, prints what was typed.
    assert_eq!(seen.stdout, format!("{}\n", &container.id[..6]));
    assert_eq!(see(&["logs", &container.id]).stdout, "ready\nbye\n");
    assert!(
        container.listed().starts_with("- stopped (5) "),
        "{}",
        container.listed()
    );
}

#[test]
fn stop_may_wait_as_long_as_it_takes() {
    need_namespaces!();
    for option in [
        "-t -1",
        "--time=-1",
        "--timeout -1",
        "--timeout 9223372036854775807",
    ] {
        let slow = "trap 'sleep 1; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
        let container = Detached::start(&["sh", "-c", slow]);
        wait_until("it ready", || {
            see(&["logs", &container.id]).stdout == "ready\n"
        });
        let seen = shell(&format!("$TD stop {option} {}", container.id));
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""), "{option}");
        assert_eq!(container.record()["exit_code"], 5, "{option}");
    }
}

#[test]
fn stop_kills_what_does_not_end_and_everything_in_it() {
    need_namespaces!();
    let time = format!("1000.{}7", std::process::id());
    let container = Detached::start(&[
        "sh",
        "-c",
        &format!("sleep {time} & sleep {time} & sleep {time}"),
    ]);
    wait_until("all three", || {
        processes_with(&format!("sleep\0{time}")).len() == 3
    });
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert_eq!(processes_with(&format!("sleep\0{time}")), Vec::<i32>::new());
    assert!(container.listed().starts_with("- stopped (137) "));
}

#[test]
fn the_default_is_ten_seconds() {
    need_namespaces!();
    let container = Detached::start(&["sleep", "1000"]);
    let start = Instant::now();
    see(&["stop", &container.id]);
    assert!(start.elapsed() >= Duration::from_secs(10));
}

#[test]
fn several_share_the_wait_and_a_wrong_one_is_named() {
    need_namespaces!();
    let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done";
    let containers: Vec<_> = (0..5)
        .map(|_| Detached::start(&["sh", "-c", script]))
        .collect();
    let all_say = |text: &str| {
        let logs = containers.iter().map(|container| container.log());
        wait_until(text, || {
            let mut logs = logs.clone().map(|log| fs::read_to_string(log).unwrap());
            logs.all(|log| log == text)
        });
    };
    all_say("ready\n");
    let mut arguments = vec!["stop", "-t", "1000", "nope"];
    arguments.extend(containers.iter().map(|container| container.id.as_str()));
    let mut stop = tiny_docker(&arguments);
    stop.stdout(Stdio::piped()).stderr(Stdio::piped());
    let stop = stop.spawn().unwrap();
    // If they were stopped one after the other, the second would have to wait for a thousand seconds.
    all_say("ready\nasked\n");
    for container in &containers {
        kill(Pid::from_raw(container.pid()), Signal::SIGKILL).unwrap();
    }
    let seen: Seen = stop.wait_with_output().unwrap().into();
    assert_eq!(seen.code, Some(1));
    assert_eq!(seen.stdout.lines().count(), 5);
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot stop nope: no such container
    hint: tiny-docker ps -a lists all containers
    ");
    assert!(
        containers
            .iter()
            .all(|container| container.record()["status"] == "stopped")
    );
}

#[test]
fn every_wrong_id_gets_its_message() {
    need_namespaces!();
    let long = "f".repeat(5000);
    let mut messages = String::new();
    for id in ["", "../x", &long, "ffffffffffff"] {
        let seen = see(&["stop", id]);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
        messages += &seen.stderr;
    }
    assert_snapshot!(messages, @"
    tiny-docker: cannot stop '': the id is empty
    tiny-docker: cannot stop ../x: no such container
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot stop ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff…: no such container
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot stop ffffffffffff: no such container
    hint: tiny-docker ps -a lists all containers
    ");
    let mut messages = String::new();
    for (arguments, code) in [
        (&["stop"][..], 1),
        (&["stop", "-t", "soon", "abc"], 125),
        (&["stop", "-t", "--", "abc"], 125),
    ] {
        let seen = see(arguments);
        assert_eq!(seen.code, Some(code));
        messages += seen.stderr.lines().next().unwrap();
        messages += "\n";
    }
    assert_snapshot!(messages, @"
    error: the following required arguments were not provided:
    error: invalid value 'soon' for '--time <SECONDS>': invalid digit found in string
    error: a value is required for '--time <SECONDS>' but none was supplied
    ");
}

#[test]
fn what_has_ended_stays_as_it_is() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "exit 3"]);
    container.wait_for_its_end();
    let before = container.record();
    let seen = see(&["stop", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_eq!(container.record(), before);
}

#[test]
fn a_container_in_the_foreground_can_be_stopped_too() {
    need_namespaces!();
    let mut running = Running::start(&mut tiny_docker(&["run", "--init", "sleep", "1000"]));
    wait_until("it listed", || see(&["ps"]).stdout.lines().count() == 2);
    let record = only_record();
    // It may be listed a moment before its command runs.
    wait_until("its end", || {
        see(&[
            "stop",
            "-t",
            "1",
            record.file_name().unwrap().to_str().unwrap(),
        ]);
        running.0.try_wait().unwrap().is_some()
    });
    let code = running.0.wait().unwrap().code().unwrap();
    assert!([137, 143].contains(&code));
    assert!(
        see(&["ps", "-a"])
            .stdout
            .contains(&format!("Exited ({code})"))
    );
}

#[test]
fn two_stops_at_once_both_succeed() {
    need_namespaces!();
    for time in ["0", "1"] {
        let container = Detached::start(&["sleep", "1000"]);
        let stop = || Running::start(&mut tiny_docker(&["stop", "-t", time, &container.id]));
        let stops: Vec<_> = (0..5).map(|_| stop()).collect();
        for mut stop in stops {
            assert_eq!(stop.0.wait().unwrap().code(), Some(0));
        }
        assert_eq!(container.listed(), "- stopped (137) sleep 1000");
    }
}

#[test]
fn stopping_one_that_is_just_ending_succeeds() {
    need_namespaces!();
    for pause in 0..20 {
        let container = Detached::start(&["sh", "-c", "sleep 0.02; exit 8"]);
        std::thread::sleep(Duration::from_millis(10 + pause));
        let seen = see(&["stop", &container.id]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        container.wait_for_its_end();
        assert_eq!(container.record()["exit_code"], 8);
        assert!(["exited", "stopped"].contains(&container.record()["status"].as_str().unwrap()));
    }
}

#[test]
fn a_stop_that_is_killed_leaves_a_container_that_can_be_stopped() {
    need_namespaces!();
    let container = Detached::start(&["sleep", "1000"]);
    let mut stop = Running::start(&mut tiny_docker(&["stop", &container.id]));
    std::thread::sleep(Duration::from_millis(50));
    stop.0.kill().unwrap();
    stop.0.wait().unwrap();
    assert!(container.is_running());
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert_eq!(container.listed(), "- stopped (137) sleep 1000");
}

#[test]
fn without_its_supervisor_a_container_can_be_stopped() {
    need_namespaces!();
    let container = start_polite();
    kill(Pid::from_raw(container.supervisor()), Signal::SIGKILL).unwrap();
    assert!(container.is_running());
    assert_eq!(see(&["stop", &container.id]).code, Some(0));
    // Nobody has waited for it, so nobody knows its exit code.
    assert!(
        container.listed().starts_with("- stopped sh "),
        "{}",
        container.listed()
    );
    assert_eq!(see(&["logs", &container.id]).stdout, "ready\nbye\n");

    let container = Detached::start(&["sleep", "1000"]);
    kill(Pid::from_raw(container.supervisor()), Signal::SIGKILL).unwrap();
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert_eq!(container.listed(), "- stopped (137) sleep 1000");
}

/// Changes the record of `container`, which has ended: it says that it is `process`, and running.
fn mistake_for(container: &Detached, process: &serde_json::Value) {
    let mut record = container.record();
    record["status"] = "running".into();
    for field in ["pid", "start_time", "boot_id"] {
        record[field] = process[field].clone();
    }
    let config = container.log().with_file_name("config.json");
    fs::write(config, record.to_string()).unwrap();
}

#[test]
fn another_process_with_the_same_pid_is_never_signalled() {
    need_namespaces!();
    let container = Detached::start(&["true"]);
    container.wait_for_its_end();
    let other = Detached::start(&["sleep", "1000"]);
    let right = other.record();
    // A process that started at another time, and one from before a reboot.
    for (field, wrong) in [
        ("start_time", 1.into()),
        ("boot_id", "00000000-0000-4000-8000-000000000000".into()),
    ] {
        let mut process = right.clone();
        process[field] = wrong;
        mistake_for(&container, &process);
        assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
        assert!(other.is_running(), "{field}");
    }
    // If all three are right, it is signalled: the two refusals above were no accident.
    mistake_for(&container, &right);
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert!(!other.is_running());
}

#[test]
fn a_record_cannot_have_a_process_of_the_host_killed() {
    need_namespaces!();
    let container = Detached::start(&["true"]);
    container.wait_for_its_end();
    let mut victim = Running(Command::new("sleep").arg("1000").spawn().unwrap());
    let stat = fs::read_to_string(format!("/proc/{}/stat", victim.pid())).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let start_time: u64 = after_name
        .split_whitespace()
        .nth(19)
        .unwrap()
        .parse()
        .unwrap();
    let boot_id = container.record()["boot_id"].clone();
    mistake_for(
        &container,
        &serde_json::json!({"pid": victim.pid(), "start_time": start_time, "boot_id": boot_id}),
    );
    let seen = shell(&format!("timeout 30 $TD stop -t 0 {}", container.id));
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(victim.0.try_wait().unwrap().is_none());
}

#[test]
fn stop_writes_to_no_file_that_a_link_leads_to() {
    need_namespaces!();
    // The shell becomes the program, so that has the shell's pid.
    for link in ["lock", "config.json.$$"] {
        let container = Detached::start(&["sleep", "1000"]);
        let record = container.log().with_file_name("");
        shell(&format!(
            "cd {} && echo kept >victim && ln -sf victim {link} && exec $TD stop -t 0 {}",
            record.display(),
            container.id
        ));
        assert!(!container.is_running());
        let victim = fs::read_to_string(record.join("victim")).unwrap();
        assert_eq!(victim, "kept\n", "{link}");
    }
}

#[test]
fn a_full_disk_does_not_keep_it_from_stopping() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, to mount a small filesystem");
    }
    let script = r"mkdir $ROOT/small; mount -t tmpfs -o size=256k,mode=700 tmpfs $ROOT/small; export TINY_DOCKER_ROOT=$ROOT/small
        id=$($TD run -d --rootfs $ROOT/rootfs/default sleep 1000)
        cat /dev/zero >$ROOT/small/fill 2>/dev/null
        $TD stop -t 0 $id >stopped; echo $?; $TD ps | wc -l";
    fs::write(state().join("script"), script).unwrap();
    let seen = shell(&format!(
        "cd {0}; ROOT={0} unshare --mount --propagation private sh {0}/script",
        state().display()
    ));
    assert_eq!(seen.stdout, "0\n1\n", "{}", seen.stderr);
    assert!(
        seen.stderr.contains("No space left on device"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_run_that_has_been_suspended_is_named_and_not_waited_for() {
    need_namespaces!();
    let mut run = Running::start(&mut tiny_docker(&["run", "sleep", "1000"]));
    wait_until("it running", || see(&["ps"]).stdout.lines().count() == 2);
    let record = only_record();
    let id = record.file_name().unwrap().to_str().unwrap();
    // Ctrl-Z does this.
    suspend(run.pid());
    let stopped = tiny_docker(&["stop", "-t", "0", id]).output().unwrap();
    let said = String::from_utf8(stopped.stderr.clone()).unwrap();
    let seen = Seen::from(stopped);
    assert_eq!((seen.code, seen.stdout), (Some(0), format!("{id}\n")));
    let lock = record.join("lock");
    let (lock, pid) = (lock.display(), run.pid());
    assert_eq!(
        said,
        format!(
            "tiny-docker: waiting for {lock}: process {pid} holds the lock\ntiny-docker: cannot lock {lock}: process {pid} holds the lock\n"
        )
    );
    kill(Pid::from_raw(run.pid()), Signal::SIGCONT).unwrap();
    assert_eq!(run.0.wait().unwrap().code(), Some(137));
}

#[test]
fn what_a_later_day_has_written_stays() {
    need_namespaces!();
    let container = Detached::start(&["sleep", "1000"]);
    let config = container.log().with_file_name("config.json");
    let mut record = container.record();
    record["memory"] = serde_json::json!({"limit": 128});
    fs::write(&config, record.to_string()).unwrap();
    // The supervisor would write what it knows, so it must be out of the way.
    kill(Pid::from_raw(container.supervisor()), Signal::SIGKILL).unwrap();
    see(&["stop", "-t", "0", &container.id]);
    assert_eq!(container.record()["status"], "stopped");
    assert_eq!(container.record()["memory"]["limit"], 128);
}

#[test]
fn a_record_of_an_earlier_day_can_be_stopped() {
    need_namespaces!();
    let container = Detached::start(&["sleep", "1000"]);
    kill(Pid::from_raw(container.supervisor()), Signal::SIGKILL).unwrap();
    let config = container.log().with_file_name("config.json");
    let mut record = container.record();
    for field in ["init", "log"] {
        record.as_object_mut().unwrap().remove(field).unwrap();
    }
    fs::write(&config, record.to_string()).unwrap();
    fs::remove_file(config.with_file_name("lock")).unwrap();
    assert_eq!(see(&["stop", "-t", "0", &container.id]).code, Some(0));
    assert_eq!(container.record()["status"], "stopped");
}

#[test]
fn a_damaged_record_does_not_keep_others_from_being_stopped() {
    need_namespaces!();
    let container = Detached::start(&["sleep", "1000"]);
    let damaged = Detached::start(&["true"]);
    damaged.wait_for_its_end();
    fs::write(damaged.log().with_file_name("config.json"), "").unwrap();
    let seen = see(&["stop", "-t", "0", &damaged.id, &container.id]);
    assert_eq!(seen.code, Some(1));
    assert_eq!(seen.stdout, format!("{}\n", container.id));
    assert_eq!(seen.stderr.lines().count(), 1);
    assert!(seen.stderr.starts_with(&format!(
        "tiny-docker: cannot stop {}: cannot read ",
        damaged.id
    )));
    assert_eq!(container.listed(), "- stopped (137) sleep 1000");
}

#[test]
fn a_closed_pipe_does_not_matter() {
    need_namespaces!();
    let container = start_polite();
    let seen = shell(&format!("$TD stop {} | true", container.id));
    assert_eq!(seen.stderr, "");
    assert!(!container.is_running());
}

#[test]
fn all_are_stopped_even_if_nobody_reads_the_ids() {
    need_namespaces!();
    let containers: Vec<_> = (0..3)
        .map(|_| Detached::start(&["sleep", "1000"]))
        .collect();
    let ids: Vec<_> = containers
        .iter()
        .map(|container| container.id.as_str())
        .collect();
    let seen = shell(&format!(
        "($TD stop -t 1 {}; echo $? >&2) | true",
        ids.join(" ")
    ));
    assert_eq!(seen.stderr, "0\n");
    for container in containers {
        assert_eq!(container.record()["status"], "stopped");
    }
}

#[test]
fn if_the_end_takes_long_stop_says_what_it_waits_for() {
    need_namespaces!();
    let container = Detached::start(&["sleep", "1000"]);
    // A process from outside is part of the container, and its parent does not wait for it.
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["--target", &container.pid().to_string(), "--pid"]);
    if !geteuid().is_root() {
        nsenter.args(["--user", "--preserve-credentials"]);
    }
    let mut nsenter = Running::start(nsenter.args(["sh", "-c", "echo ready; exec sleep 1000"]));
    let output = nsenter.0.stdout.as_mut().unwrap();
    output.read_exact(&mut [0; 6]).unwrap();
    suspend(nsenter.pid());
    let mut stop = tiny_docker(&["stop", "-t", "0", &container.id]);
    let mut stop = Running(stop.stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let mut said = BufReader::new(stop.0.stderr.take().unwrap());
    said.read_line(&mut line).unwrap();
    assert!(line.contains("still waiting"), "{line}");
    kill(Pid::from_raw(nsenter.pid()), Signal::SIGCONT).unwrap();
    assert_eq!(stop.0.wait().unwrap().code(), Some(0));
}
